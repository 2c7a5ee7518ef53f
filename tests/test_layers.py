"""The architecture: which file may import which, and what `import skgeom` costs."""

import ast
import inspect
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import skgeom

ROOT = Path(skgeom.__file__).parent
FLOORS = [
    {"_frames", "_typing", "_warnings", "_whole_file"},
    {"_array", "_dask"},
    {"_core"},
    {"_cloud"},
    {"_validation"},
    {"summary"},
    {"_estimator"},
    {"metrics", "datasets"},
    {"preprocessing", "alignment", "multimodal", "optim", "comparison", "calibration"},
    {"model_selection"},
    {"inspection"},
    {"__main__", "report"},
]
ARRAY_LIBRARIES = {"torch", "cupy", "jax", "dask", "tensorflow", "array_api_compat", "array_api_extra"}
SLOW_TO_IMPORT = {"torch", "cupy", "matplotlib", "dask", "pandas", "polars"}
MODULES = {".".join(p.relative_to(ROOT.parent).with_suffix("").parts): p for p in sorted(ROOT.rglob("*.py"))}
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}
PACKAGES = sorted(f"skgeom.{p.parent.name}" for p in ROOT.glob("[a-z]*/__init__.py"))


class Running(ast.NodeTransformer):
    """What runs of a file: without what stands there for type checkers only, and without methods that draw."""

    def visit_FunctionDef(self, node):
        return None if node.name == "plot" else self.generic_visit(node)

    def visit_If(self, node):
        is_for_checkers = ast.unparse(node.test) in ("TYPE_CHECKING", "_typing.TYPE_CHECKING")
        return node.orelse if is_for_checkers else self.generic_visit(node)


@cache
def imports(module):
    """Return the dotted names that a file imports anywhere as it runs, submodules resolved."""
    found = set()
    for node in ast.walk(Running().visit(ast.parse(MODULES[module].read_text(encoding="utf-8")))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            is_outside = not node.module.startswith("skgeom")
            found |= {name if name in MODULES or is_outside else node.module for name in names}
    return found


def part(module):
    """Return the first name below skgeom."""
    return module.partition(".")[2].partition(".")[0]


def floor(module):
    return next(i for i, names in enumerate(FLOORS) if part(module) in names)


def own_imports(module):
    return {name for name in imports(module) if name.partition(".")[0] == "skgeom"}


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"skgeom"}))
def test_every_file_has_a_floor(module):
    assert floor(module) >= 0


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"skgeom"}))
def test_imports_go_down_and_siblings_do_not_know_each_other(module):
    for target in own_imports(module) - {"skgeom"}:
        inside_one_package = part(target) == part(module)
        below = floor(target) < floor(module)
        peers = floor(target) == floor(module) and part(module).startswith("_")
        assert below or inside_one_package or peers, f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_result_that_draws_itself_asks_the_pictures_and_nothing_else_above(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    plots = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "plot"]
    found = [node for plot in plots for node in ast.walk(plot) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert all(isinstance(node, ast.ImportFrom) and node.module == "skgeom.inspection" for node in found)


def test_only_the_top_floor_imports_the_package_itself():
    assert {floor(m) for m in MODULES if m != "skgeom" and "skgeom" in own_imports(m)} <= {len(FLOORS) - 1}


def test_the_package_itself_imports_nothing_of_its_own_at_the_start():
    assert own_imports("skgeom") == set()


def test_no_two_files_import_each_other():
    TopologicalSorter({module: own_imports(module) - {module} for module in MODULES}).prepare()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_only_one_file_knows_array_libraries(module):
    homes = {"optim": {"torch"}, "_dask": {"dask"}, "_array": ARRAY_LIBRARIES - {"dask"}}
    allowed = homes.get(part(module), set())
    assert {name.partition(".")[0] for name in imports(module)} & ARRAY_LIBRARIES <= allowed


@pytest.mark.parametrize("module", sorted(MODULES))
def test_private_names_of_other_libraries_stay_theirs(module):
    others = {name for name in imports(module) if name.partition(".")[0] not in ("skgeom", "__future__")}
    assert not [name for name in others if any(word.startswith("_") for word in name.split("."))]


@pytest.mark.parametrize("module", sorted(m for m in MODULES if part(m) == "_core"))
def test_the_mathematics_knows_neither_sklearn_nor_checks(module):
    assert {name.partition(".")[0] for name in imports(module)}.isdisjoint({"sklearn", "scipy"})
    assert not any(isinstance(node, ast.Raise) for node in ast.walk(ast.parse(MODULES[module].read_text())))


def loaded_by(*statements):
    """Return the libraries that are there after each statement of one process."""
    show = "print(*{name.partition('.')[0] for name in sys.modules})"
    code = "\n".join(["import sys", *(line for statement in statements for line in (statement, show))])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_importing_loads_no_heavy_library_that_scikit_learn_does_not_load():
    scikit_learn = "import sklearn.pipeline, sklearn.utils.validation"
    itself, peer, packages = loaded_by("import skgeom", scikit_learn, f"import {', '.join(PACKAGES)}")
    assert itself.isdisjoint(SLOW_TO_IMPORT)
    assert packages & SLOW_TO_IMPORT <= peer


@pytest.mark.parametrize("package", ["skgeom", *PACKAGES])
def test_public_names_exist_are_sorted_and_documented(package):
    module = import_module(package)
    names = [name for name in module.__all__ if name != "__version__"]
    assert names == sorted(set(names))
    assert all(inspect.getdoc(getattr(module, name)) for name in names)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_hide_everything_but_their_public_names(package):
    module = import_module(package)
    assert all(hasattr(module, name) for name in module.__all__)
    visible = {name for name in vars(module) if not name.startswith("_")}
    assert visible == set(module.__all__)


def test_a_public_name_is_one_object_in_one_package():
    homes = {}
    for package in map(import_module, PACKAGES):
        for name in package.__all__:
            homes.setdefault(name, []).append(package.__name__)
    packages = {package.partition(".")[2] for package in PACKAGES}
    assert {name: where for name, where in homes.items() if len(where) > 1 or name in packages} == {}


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.startswith("skgeom._core.")))
def test_the_two_engines_do_not_know_each_other(module):
    rooms = {"sums": "pairs", "pairs": "sums"}
    room = module.split(".")[2]
    names = {name.split(".")[2] for name in own_imports(module) if name.count(".") > 1}
    assert rooms.get(room) not in names
    assert room in rooms or not room.startswith(("_rows", "_threads", "_labels")) or not names & set(rooms)


def test_flagship_names_are_the_objects_of_their_packages():
    names = set(skgeom.__all__) - {"__version__"} - {package.partition(".")[2] for package in PACKAGES}
    assert names
    for name in names:
        homes = [getattr(import_module(p), name) for p in PACKAGES if name in import_module(p).__all__]
        assert len(homes) == 1
        assert getattr(skgeom, name) is homes[0]


def test_every_package_estimator_and_named_scorer_is_on_the_top_level():
    for package in map(import_module, PACKAGES):
        names = [n for n in package.__all__ if n.endswith("_scorer") and not n.startswith(("get_", "make_"))]
        names += [n for n in package.__all__ if hasattr(getattr(package, n), "fit")]
        assert set(names) <= set(skgeom.__all__)
    assert {package.partition(".")[2] for package in PACKAGES} <= set(skgeom.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'isoscor'"):
        skgeom.isoscor  # noqa: B018
