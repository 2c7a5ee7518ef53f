import json
import re
import sys
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest

from skgeom.metrics import isoscore, silhouette_score
from skgeom.report import geometry_report
from skgeom.report._card import Entry
from skgeom.report._page import _bar, _note
from skgeom.report._text import limits, valued

HOSTILE = '"><script>alert(1)</script>$\\frac{&#222222 id="x" url(#y)'
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Tree(HTMLParser):
    """What a page is made of: tags with their attributes, whether they nest, and the text of cells."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.rows, self.texts = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def all(self, name):
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def planted(n=90, d=8):
    """Rows of three classes, of which two are equal."""
    X = np.random.default_rng(0).normal(size=(n, d)) + 0.5 + 2 * np.eye(d)[np.arange(n) % 3]
    X[3] = X[0]
    return X


@pytest.fixture(scope="module")
def report():
    names = np.array(["a", HOSTILE, "日本語 $x$"])
    return geometry_report(planted(), labels=names[np.arange(90) % 3], paired=planted() + 0.3, title=HOSTILE)


@pytest.fixture(scope="module")
def tree(report):
    pytest.importorskip("matplotlib")
    return Tree(report.to_html())


@pytest.fixture
def without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def test_every_value_of_the_page_is_that_of_the_card(report, tree):
    shown = {row[0]: row[1:3] for row in tree.rows}
    entries = [entry for section in report.card for entry in section.entries if entry.value != ""]
    assert len(entries) > 25
    for entry in entries:
        assert shown[entry.name][0].rstrip(" ↑↓") == valued(entry)
        assert shown[entry.name][1] == limits(entry)


def test_every_number_of_the_judges_is_there(report, tree):
    rows = {tuple(row) for row in tree.rows}
    for judgement in report.judgements:
        assert {tuple(row) for row in judgement.table()} <= rows


def test_the_page_nests_and_asks_nobody_for_anything(tree):
    assert tree.open == []
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(tag for tag, _ in tree.tags)
    for tag, attributes in tree.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if tag != "a" and name in ("src", "href", "xlink:href"):
                assert value.startswith(("#", "data:image/png;base64,"))
            for target in re.findall(r"url\((.*?)\)", value) if name != "aria-label" else ():
                assert target.startswith("#")
    assert all(re.match("https://(arxiv.org/abs|doi.org)/", attr["href"]) for tag, attr in tree.tags if tag == "a")
    assert not re.search(r"@import|url\(|src:", "".join(t for t in tree.texts if "--ink" in t))


def test_ids_are_unique_and_all_that_refers_to_one_finds_it(tree):
    ids = Counter(tree.all("id"))
    assert set(ids.values()) == {1}
    targets = [href[1:] for href in tree.all("href") if href.startswith("#")]
    targets += [
        one for value in tree.all("style") + tree.all("clip-path") for one in re.findall(r"url\(#(.*?)\)", value)
    ]
    assert set(targets) == set(ids)


def test_two_reports_on_one_page_share_no_id(report, tree):
    other = geometry_report(planted() * [1, 1, 1, 1, 2, 2, 3, 4])
    assert set(Tree(other._repr_html_()).all("id")).isdisjoint(tree.all("id"))


def test_hostile_names_are_text(tree):
    assert tree.texts.count(HOSTILE) == 2  # title and heading
    assert any(one == HOSTILE[:17] + "..." for one in tree.texts)  # beside the bars of its class
    assert any("日本語 $x$" in one for one in tree.texts)


def test_pictures_have_text_colours_of_the_page_and_words_for_those_who_do_not_see_them(tree):
    labels = [attr["aria-label"] for tag, attr in tree.tags if tag == "svg" and "aria-label" in attr]
    titles = [
        "Spectrum",
        "Conformity",
        "The cone",
        "Hubs",
        "Silhouettes",
        "The two clouds",
        "Matching",
        "Shifted",
        "Held",
    ]
    for title in titles:
        assert any(label.startswith(title) for label in labels)
    assert "principal direction" in tree.texts
    drawn = [style for style in tree.all("style") if re.search("fill:|stroke:", style)]
    assert not [style for style in drawn if re.search("#[0-9a-f]{6}", style)]
    assert "Not drawn" not in "".join(tree.texts)


def test_hatches_are_seen_on_a_ground_that_is_paler(tree):
    grounds = [attr["style"] for tag, attr in tree.tags if tag == "rect" and "style" in attr]
    hatched = [style for style in tree.all("style") if "fill: url(" in style]
    assert grounds == ["fill: var(--vermilion); fill-opacity: 0.3"]
    assert hatched
    assert not [style for style in hatched if "fill-opacity" in style]


def test_the_silhouettes_drawn_have_the_mean_of_the_card(report, tree):
    assert f"mean {report.values['silhouette_cosine']:.3f}" in tree.texts


def test_without_matplotlib_the_tables_are_there_and_a_line_says_so(report, without_matplotlib):
    found = geometry_report(planted(), labels=np.arange(90) % 3)
    page = found.to_html()
    assert "No pictures: matplotlib is missing: pip install &quot;scikit-embedding-geometry[plot]&quot;" in page
    assert "<figure>" not in page
    assert ["IsoScore", *limits_of(found, "IsoScore")] == next(
        row[:3] for row in Tree(page).rows if row[0] == "IsoScore"
    )


def limits_of(report, name):
    entry = next(one for section in report.card for one in section.entries if one.name == name)
    return f"{valued(entry)} ↑", limits(entry)


@pytest.mark.parametrize("rows", [np.ones((30, 4)), np.arange(1.0, 31)[:, None], np.eye(2)])
def test_rows_without_a_picture_have_a_page(rows):
    Tree(geometry_report(rows).to_html())


@pytest.mark.parametrize(
    ("value", "error", "x", "box"),
    [(0.5, 0.1, 70, (57.6, 82.4)), (0, np.nan, 8, None), (1, np.nan, 132, None), (1.02, np.nan, 134.5, None)],
)
def test_the_bar_stands_where_the_value_does(value, error, x, box):
    tags = Tree(_bar(Entry("name", 4 * value - 1, -1, 3, error=4 * error))).tags
    lines = {attr.get("class"): attr for tag, attr in tags if tag == "line"}
    assert float(lines["value"]["x1"]) == float(lines["value"]["x2"]) == x
    assert (("error" in lines) and tuple(float(lines["error"][end]) for end in ("x1", "x2"))) == (box or False)


@pytest.mark.parametrize("entry", [Entry("a", 1.0, 0, np.inf), Entry("a", "3 %"), Entry("a", 1, 1, 1), Entry("a", 7)])
def test_there_is_no_bar_without_a_range(entry):
    assert _bar(entry) == ""


def test_every_number_that_is_computed_says_what_it_means_and_where_it_is(report):
    abouts = {one.about for section in report.card for one in section.entries if one.about is not None}
    assert len(abouts) >= 17
    for about in abouts:
        note = _note(about)
        assert "<code>skgeom.metrics." in note or "<code>skgeom.calibration.CosineCalibrator" in note
        assert not re.search(r":\w+:|`|\\", note)
    assert '<a href="https://arxiv.org/abs/2108.07344">arXiv:2108.07344</a>' in _note(isoscore)
    assert '<a href="https://doi.org/10.1016/0377-0427(87)90125-7">' in _note(silhouette_score)


def test_a_report_of_arrays_is_that_of_files(report, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    assert report.to_html(path) == path.read_text(encoding="utf-8")
    assert report._repr_html_() in report.to_html()
    found = json.loads(report.to_json())
    assert found == report.to_dict()
    assert report.values["isoscore"] == pytest.approx(isoscore(planted()))
    assert [one["task"] for one in found["judgements"]] == ["classes", "retrieval"]
    assert str(report).startswith("GEOMETRY CARD")
    assert repr(geometry_report(planted())) == "<Report on 'embeddings': 90 × 8>"


def test_lists_and_words_are_taken():
    found = geometry_report(planted().tolist(), words=[f"w{i}" for i in range(90)])
    assert found.values["isoscore"] == pytest.approx(isoscore(planted()))
    assert "most conforming" in str(found)


def test_judged_pairs_take_the_place_of_retrieval():
    scores = np.random.default_rng(0).uniform(size=90)
    positions = np.random.default_rng(1).permutation(90).reshape(-1, 2)
    for options in ({"paired": planted(), "scores": scores}, {"pairs": positions, "scores": scores[:45]}):
        assert [one.task for one in geometry_report(planted(), **options).judgements] == ["similarity"]


def test_pairs_with_a_zero_row_take_no_part_in_the_judgement_of_cosines():
    X, scores = planted(), np.random.default_rng(0).uniform(size=90)
    X[7] = 0
    assert geometry_report(X, paired=planted() + 0.3, scores=scores).judgements[0].n_rows == 89
    positions = np.stack([np.arange(90), np.arange(90)[::-1]], axis=1)
    assert geometry_report(X, pairs=positions, scores=scores).judgements[0].n_rows == 88


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": np.arange(90)}, "two or more classes with 5 different rows each"),
        ({"labels": [0, 1]}, "90"),
        ({"paired": planted()[:5]}, "expected the shape of X"),
        ({"paired": np.zeros((90, 8))}, "paired: expected rows with a direction"),
        (
            {"paired": planted() * (np.arange(90) < 2)[:, None], "X": planted() * (np.arange(90) > 0)[:, None]},
            "got 1 of 90",
        ),
        ({"pairs": [[0, 1]]}, "pairs go with scores"),
        ({"scores": [1.0]}, "scores go with pairs or paired"),
        ({"pairs": [[0, 90]], "scores": [1.0]}, "positions from 0 to 89"),
        ({"pairs": [[0, np.inf]], "scores": [1.0]}, "positions from 0 to 89, got 0 to inf"),
        ({"pairs": [[0, 1.5]], "scores": [1.0]}, "expected integers.*got 1.5"),
        ({"pairs": [[0, np.nan]], "scores": [1.0]}, "expected integers.*got nan"),
        ({"pairs": [[0, "a"]], "scores": [1.0]}, "pairs: expected two positions of rows for each pair, got no numbers"),
        ({"pairs": [[0, 1], [2]], "scores": [1.0]}, "pairs: expected two positions of rows for each pair"),
        ({"pairs": [[0, 1]], "scores": [1.0, 2.0]}, "expected one for each of 1 pairs"),
        ({"words": ["a"]}, "expected one for each of 90 rows"),
        ({"n_clusters": 1}, "n_clusters"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        geometry_report(**{"X": planted(), **options})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"X": "x.npy"}, TypeError, r"X is a path, not rows in memory"),
        ({"X": iter([planted()])}, ValueError, r"X is an iterator, but all rows are needed at once"),
        ({"words": ["a"] * 89 + [None]}, TypeError, r"words must be text, got None: pass list\(map\(str, words\)\)"),
        ({"words": np.arange(90)}, TypeError, r"words must be text, got 0"),
        (
            {"paired": planted(), "scores": [0.0] * 40 + [np.nan] * 50},
            ValueError,
            r"numbers, got nan at position 40\.$",
        ),
        (
            {"paired": planted(), "scores": ["good"] * 90},
            TypeError,
            r"a list of numbers, got 'good', .{0,90} and 82 more",
        ),
    ],
)
def test_rows_words_and_scores_of_another_kind_are_refused_in_few_words(options, error, message):
    with pytest.raises(error, match=message):
        geometry_report(**{"X": planted(), **options})


def test_the_page_of_many_rows_is_small():
    X = np.random.default_rng(0).normal(size=(4000, 16))
    assert len(geometry_report(X, labels=np.arange(4000) % 4).to_html()) < 1e6
