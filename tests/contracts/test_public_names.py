"""Public names: each module says which they are, each exists, and each says what it is."""

import importlib
import inspect
import pkgutil

import pytest

import multilayer


def module_names():
    """Return every public module of the package."""
    found = pkgutil.walk_packages(multilayer.__path__, prefix="multilayer.")
    names = ["multilayer", *(module.name for module in found)]
    return [name for name in names if not any(p.startswith("_") for p in name.split("."))]


MODULES = module_names()


def test_the_walk_finds_the_package():
    assert {"multilayer.errors", "multilayer.numpy.losses.base", "multilayer.cli.main"} <= set(
        MODULES
    )


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is(name):
    module = importlib.import_module(name)
    assert inspect.getdoc(module), f"{name} has no docstring"
    # A package that is nothing but a place may have no names.
    is_empty_place = hasattr(module, "__path__") and not public_definitions(module)
    assert hasattr(module, "__all__") or is_empty_place, f"{name} has no __all__"


@pytest.mark.parametrize("name", MODULES)
def test_every_name_of_all_exists_once(name):
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names), f"{name}.__all__ has a name twice"
    missing = [each for each in names if not hasattr(module, each)]
    assert not missing, f"{name}.__all__ has what does not exist: {missing}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.count(".") == 1])
def test_what_a_room_exports_is_what_its_name_says(name):
    # One object under one name: a class that is exported must not be renamed on the way.
    module = importlib.import_module(name)
    for each in getattr(module, "__all__", []):
        thing = getattr(module, each)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__name__ == each


def public_definitions(module):
    """Return the public classes and functions that the module itself defines."""
    return {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__ == module.__name__
    }


def exported(module):
    """Return the public classes and functions that are both defined and exported here."""
    names = getattr(module, "__all__", [])
    return {name: thing for name, thing in public_definitions(module).items() if name in names}


@pytest.mark.parametrize("name", MODULES)
def test_every_class_and_function_has_a_docstring(name):
    module = importlib.import_module(name)
    silent = [each for each, thing in public_definitions(module).items() if not own_doc(thing)]
    assert not silent, f"without a docstring in {name}: {', '.join(silent)}"


def own_doc(thing):
    """Return what was written for it; a dataclass without a docstring gets its signature."""
    text = thing.__doc__ or ""
    return "" if text.startswith(f"{thing.__name__}(") else text


def members(cls):
    """Yield the public methods and properties that a class defines itself."""
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        if inspect.isroutine(member) or isinstance(member, (property, classmethod, staticmethod)):
            yield name


@pytest.mark.parametrize("name", MODULES)
def test_every_method_has_a_docstring_of_its_own_or_inherited(name):
    module = importlib.import_module(name)
    silent = [
        f"{class_name}.{member}"
        for class_name, cls in exported(module).items()
        if inspect.isclass(cls)
        for member in members(cls)
        if not inspect.getdoc(getattr(cls, member))
    ]
    assert not silent, f"without a docstring in {name}: {', '.join(silent)}"
