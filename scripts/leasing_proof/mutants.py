"""Mutants of the scheduler's core: its modules with one small change each, made from the syntax tree.

The rules, of which each change is one:

* comparison: `<` becomes `<=` and `>=`, and so on; `==`, `is` and `in` become their opposites
* boolean: `and` and `or` change places; `not` goes; a condition that is neither, and no comparison, gets a `not`
* constant: a number grows by one, True and False change places
* arithmetic: `+` and `-` change places
* deletion: a statement goes that changes something: a call, a rebinding, an `if` without `else`, a loop, a `continue`
* swapped arguments: two arguments for parameters of the same declared type, the two sides of a `-`

Left out is what is only words (texts, and whatever stands in an f-string), types, and what declares.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from types import CodeType
from typing import Final

from typing_extensions import override

ROOT: Final = Path(__file__).resolve().parents[2]
POLICY: Final = ROOT / "agent/policy"
MODULES: Final = (
    "leasing",
    "lease_queue",
    "lease_checkpoints",
    "lease_room",
    "lease_plans",
    "lease_forms",
    "lease_changes",
    "swapping",
)
"""The core, without its vocabulary (`lease_terms`) and its words for a person (`lease_words`)."""

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One module with one change."""

    module: str
    """Without its package."""
    function: str
    line: int
    rule: str
    was: str
    """The source of the expression or the first line of the statement that changes."""
    became: str
    code: CodeType

    @property
    def place(self) -> str:
        """Where it is, for a person."""
        return f"agent/policy/{self.module}.py:{self.line}"

    @property
    def change(self) -> str:
        """What it is, without the line, which moves."""
        return f"{self.module}.{self.function}: {self.was} → {self.became}"


def mutants(module: str) -> Iterator[Mutant]:
    """Every mutant of a module that the rules make, in the order of the source."""
    return mutants_of(module, (POLICY / f"{module}.py").read_text())


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """The same of any source, as if it were that of the module."""
    tree = ast.parse(source)
    nodes, skipped, conditions, functions = list(ast.walk(tree)), _skipped(tree), _conditions(tree), _functions(tree)
    changes = [
        (node, index, rule, became)
        for index, node in enumerate(nodes)
        if node not in skipped
        for rule, became in (*_of_expression(node, conditions), *_of_call(node), *_of_statement(node, functions))
    ]
    for node, index, rule, became in sorted(changes, key=lambda change: _position(change[0])):
        function = functions[node].name if node in functions else "the module"
        code = _compiled(tree, index, became, module)
        yield Mutant(module, function, _position(node)[0], rule, _told(node), _told(became), code)


def _compiled(tree: ast.Module, index: int, became: ast.AST, module: str) -> CodeType:
    changed = deepcopy(tree)
    _Replace(list(ast.walk(changed))[index], became).visit(changed)
    return compile(ast.fix_missing_locations(changed), POLICY / f"{module}.py", "exec")


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old = old
        self._new = new

    @override
    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _told(node: ast.AST) -> str:
    first, *more = ast.unparse(node).splitlines()
    return f"{first} …" if more else first


# --- what is changed ------------------------------------------------------------------------------------------------


def _of_expression(node: ast.AST, conditions: set[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare(left, [operator], comparators):
            for other in _COMPARISONS[type(operator)]:
                yield "comparison", ast.Compare(left, [other()], comparators)
        case ast.BoolOp(operator, values):
            yield "boolean", ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield "boolean", operand
        case ast.Constant(bool(value)):
            yield "constant", ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield "constant", ast.Constant(value + 1)
        case ast.BinOp(left, ast.Add(), right):
            yield "arithmetic", ast.BinOp(left, ast.Sub(), right)
        case ast.BinOp(left, ast.Sub(), right):
            yield "arithmetic", ast.BinOp(left, ast.Add(), right)
            yield "swapped arguments", ast.BinOp(right, ast.Sub(), left)
        case ast.expr() if node in conditions:
            yield "boolean", ast.UnaryOp(ast.Not(), node)
        case _:
            pass


def _of_call(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Two arguments change places if their parameters are declared alike."""
    if not isinstance(node, ast.Call) or any(isinstance(given, ast.Starred) for given in node.args):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    declared = _declared().get(name, {})
    kinds = [*list(declared.values())[: len(node.args)], *(declared.get(given.arg or "") for given in node.keywords)]
    values = [*node.args, *(given.value for given in node.keywords)]
    for one, other in combinations(range(len(kinds)), 2):
        differ = ast.dump(values[one]) != ast.dump(values[other])
        if kinds[one] and kinds[one] == kinds[other] and differ:
            swapped = list(values)
            swapped[one], swapped[other] = values[other], values[one]
            keywords = [
                ast.keyword(given.arg, value)
                for given, value in zip(node.keywords, swapped[len(node.args) :], strict=True)
            ]
            yield "swapped arguments", ast.Call(node.func, swapped[: len(node.args)], keywords)


def _of_statement(node: ast.AST, functions: dict[ast.AST, ast.FunctionDef]) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.If(orelse=[]) | ast.For() | ast.Continue():
            yield "deletion", ast.Pass()
        case ast.Assign() if node in functions and _rebinds(node, functions[node]):
            yield "deletion", ast.Pass()
        case _:
            pass


def _rebinds(statement: ast.Assign, function: ast.FunctionDef) -> bool:
    """All its names were bound before, so that the code goes on without it."""
    before = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    before |= {name.id for name in _stored(function) if name.lineno < statement.lineno}
    return {name.id for target in statement.targets for name in _stored(target)} <= before


def _stored(node: ast.AST) -> list[ast.Name]:
    return [name for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)]


# --- where ----------------------------------------------------------------------------------------------------------


def _functions(tree: ast.Module) -> dict[ast.AST, ast.FunctionDef]:
    """The function in which each node stands."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return {node: function for function in functions for node in ast.walk(function)}


def _conditions(tree: ast.Module) -> set[ast.AST]:
    """Whatever is asked whether it is true."""
    found = set[ast.AST]()
    for node in ast.walk(tree):
        match node:
            case ast.If(test) | ast.IfExp(test):
                found.add(test)
            case ast.comprehension(ifs=tests) | ast.BoolOp(values=tests):
                found.update(tests)
            case _:
                pass
    return found


def _skipped(tree: ast.Module) -> set[ast.AST]:
    """Words, types, and what declares."""
    found = set[ast.AST]()
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
                found.update(ast.walk(node))
            case ast.arg(annotation=ast.expr() as words) | ast.AnnAssign(annotation=words):
                found.update(ast.walk(words))
            case ast.FunctionDef(returns=ast.expr() as words):
                found.update(ast.walk(words))
            case _:
                pass
    return found


@cache
def _declared() -> dict[str, dict[str, str]]:
    """Of each function and each class of the core, its parameters or fields and their types."""
    found: dict[str, dict[str, str]] = {}
    for path in (*POLICY.glob("leas*.py"), POLICY / "swapping.py", POLICY / "restarting.py"):
        for node in ast.parse(path.read_text()).body:
            match node:
                case ast.FunctionDef(name, args):
                    given = [*args.args, *args.kwonlyargs]
                    found[name] = {one.arg: ast.unparse(one.annotation) for one in given if one.annotation}
                case ast.ClassDef(name, body=body):
                    fields = [one for one in body if isinstance(one, ast.AnnAssign)]
                    found[name] = {ast.unparse(one.target): ast.unparse(one.annotation) for one in fields}
                case _:
                    pass
    return found
