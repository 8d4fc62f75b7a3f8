"""The templates of rules: a small part of Jinja2, in its sandbox, with text in and one short line out.

Only variables, texts, `if`, comparisons, `~`, slices and the filters below: nothing that loops, calls or multiplies, so
that a template is done in time linear to its own length whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST_TEMPLATE = 1000
DEEPEST = 50  # levels of nesting
LONGEST_TEXT = 4096  # characters that any filter may give

_NONE: frozenset[str] = frozenset()

Needs = tuple[frozenset[str], ...]
"""From each of the sets at least one variable has to hold something."""


def _default(value: object, *others: object) -> object:
    return next((one for one in (value, *others) if one), "")


def _before(value: object, mark: object) -> str:
    return str(value).partition(str(mark))[0]


def _after(value: object, mark: object) -> str:
    return str(value).partition(str(mark))[2]


def _digits(value: object) -> str:
    return "".join(ch for ch in str(value) if ch in "0123456789")


def _replace(value: object, old: object, new: object) -> str:
    return str(value).replace(str(old), str(new)) if str(old) else str(value)


FILTERS: dict[str, Callable[..., object]] = {
    "default": _default,
    "d": _default,
    "lower": lambda value: str(value).lower(),
    "upper": lambda value: str(value).upper(),
    "trim": lambda value: str(value).strip(),
    "digits": _digits,
    "replace": _replace,
    "before": _before,
    "after": _after,
}

_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr),
    *(nodes.Name, nodes.Const, nodes.Filter, nodes.Concat, nodes.Getitem, nodes.Slice, nodes.Neg),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
)


def _capped(filter_: Callable[..., object]) -> Callable[..., object]:
    def call(*arguments: object) -> object:
        result = filter_(*arguments)
        if isinstance(result, str) and len(result) > LONGEST_TEXT:
            raise TemplateError("too long")
        return result

    return call


def _environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    made.globals.clear()
    made.tests.clear()
    made.filters.clear()
    made.filters.update({name: _capped(filter_) for name, filter_ in FILTERS.items()})
    return made


_ENVIRONMENT = _environment()


class Template:
    """A compiled template. `needs`: what it writes whatever happens, so that it makes no sense without."""

    __slots__ = ("_new_context", "_pieces", "_root", "needs")

    def __init__(self, source: str, variables: frozenset[str]) -> None:
        """Raises ValueError, in words, for what is not allowed in it or names no variable."""
        if len(source) > LONGEST_TEMPLATE:
            raise ValueError(f"longer than {LONGEST_TEMPLATE} characters")
        try:
            tree = _ENVIRONMENT.parse(source)
            _check(tree, variables)
            compiled = _ENVIRONMENT.from_string(tree)
        except TemplateSyntaxError as error:
            raise ValueError(error.message or "not a template") from None
        except RecursionError:
            raise ValueError("nested too deeply") from None
        self.needs: Needs = tuple(dict.fromkeys(_needs(tree)))
        self._new_context, self._root = compiled.new_context, compiled.root_render_func
        self._pieces = _pieces(tree)

    def missing(self, values: Mapping[str, str]) -> frozenset[str]:
        """The variables for want of which there is nothing to write; empty when nothing is missing."""
        missing = _NONE
        for names in self.needs:
            for name in names:
                if values[name]:
                    break
            else:
                missing |= names
        return missing

    def render(self, values: Mapping[str, str]) -> str:
        """The text, without white space around it. Raises ValueError when it cannot be made."""
        if self._pieces:
            written = []
            for names, text, under in self._pieces:
                if under and not values[under]:
                    continue
                for name in names:
                    if values[name]:
                        written.append(values[name])
                        break
                else:
                    written.append(text)
            return "".join(written).strip()
        try:
            return "".join(self._root(self._new_context(dict(values)))).strip()
        except (TemplateError, TypeError, ValueError, LookupError):
            raise ValueError("the template fails on these values") from None


def _walk(node: nodes.Node, depth: int = 0) -> Iterator[nodes.Node]:
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child, depth + 1)


def _check(tree: nodes.Template, variables: frozenset[str]) -> None:
    for node in _walk(tree):
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"{type(node).__name__.lower()} is not allowed in a template")
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise ValueError(f"there is no filter {node.name!r}; there are {', '.join(sorted(FILTERS))}")
        if isinstance(node, nodes.Filter) and (node.kwargs or node.dyn_args or node.dyn_kwargs):
            raise ValueError(f"the filter {node.name!r} takes plain values only")
        if isinstance(node, nodes.Name) and node.name not in variables:
            raise ValueError(f"there is no variable {node.name!r}{_nearest(node.name, variables)}")


class _Piece(NamedTuple):
    """A part of a template: the first of its variables that holds something, else its text; nothing at all where the
    variable that it stands under (`{% if a %}`) holds nothing."""

    names: tuple[str, ...] = ()
    text: str = ""
    under: str = ""


def _pieces(tree: nodes.Template) -> tuple[_Piece, ...]:
    """A template of nothing but text, variables with defaults or without, and `if` over one variable, as its pieces,
    which are put together without Jinja's machinery. Empty for any other template."""
    found: list[_Piece | None] = []
    for part in tree.body:
        under, inside = "", [part]
        if isinstance(part, nodes.If) and isinstance(part.test, nodes.Name) and not part.elif_ and not part.else_:
            under, inside = part.test.name, part.body
        for node in inside:
            for one in node.nodes if isinstance(node, nodes.Output) else (node,):
                piece = _piece(one)
                found.append(piece and piece._replace(under=under))
    pieces = tuple(piece for piece in found if piece is not None)
    return pieces if len(pieces) == len(found) else ()


def _piece(node: nodes.Node) -> _Piece | None:
    if isinstance(node, nodes.TemplateData):
        return _Piece(text=node.data)
    if isinstance(node, nodes.Name):
        return _Piece((node.name,))
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return _Piece(text=node.value)
    if isinstance(node, nodes.Filter) and node.name in ("default", "d") and node.node is not None:
        *others, last = (_piece(choice) for choice in (node.node, *node.args))
        if last is not None and all(piece is not None and not piece.text for piece in others):
            return _Piece(tuple(name for piece in (*others, last) if piece for name in piece.names), last.text)
    return None


def _nearest(name: str, variables: frozenset[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(variables), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _needs(tree: nodes.Template) -> Iterator[frozenset[str]]:
    """What stands in the open, not under an `if`: `{{ a }}` needs a, `{{ a | default(b) }}` needs a or b."""
    for output in tree.body:
        if isinstance(output, nodes.Output):
            for expression in output.nodes:
                yield from _of(expression)


def _of(node: nodes.Node) -> Iterator[frozenset[str]]:
    if isinstance(node, nodes.Name):
        yield frozenset({node.name})
    elif isinstance(node, nodes.Or) or (isinstance(node, nodes.Filter) and node.name in ("default", "d")):
        choices = [set(_of(choice)) for choice in node.iter_child_nodes()]
        if all(choices):  # a choice that needs nothing is always there
            yield frozenset(name for choice in choices for names in choice for name in names)
    elif isinstance(node, nodes.Filter | nodes.Getitem) and node.node is not None:
        yield from _of(node.node)
    elif isinstance(node, nodes.Concat):
        for part in node.nodes:
            yield from _of(part)
