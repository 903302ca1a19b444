"""Parsers made from lark grammars, without working out their tables in every process.

Working the tables out takes ten times as long as to read them. They are kept beside the grammar, as data that nothing
runs and that comes with the package; `python -m equiv.grammar FILE.lark` writes them. They are used only by
the very version of lark that made them and only for the very grammar; everything else works them out again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import lark

CONTEXTUAL = "contextual"
"""Lark's own lexer, which looks only for tokens that may stand where it is."""

SHIFT = 0
"""Of an action in lark's tables: go on to a state, in place of reducing by a rule."""


NO_BOUND = (1 << 32) - 1
"""Of the length of a token: longer than any text."""


def parser(grammar: Path, postlex: Any = None, lexer: str | type[lark.lexer.Lexer] = CONTEXTUAL) -> lark.Lark:
    """The LALR parser of the file `grammar`. `postlex` and `lexer` are lark's; the former sees every token first."""
    text, tables = grammar.read_text("utf-8"), tables_file(grammar)
    if tables.is_file():
        kept = json.loads(tables.read_text("utf-8"))
        if kept["lark"] == lark.__version__ and kept["grammar"] == _digest(text):
            return _from_tables(kept, postlex, lexer)
    return _from_text(text, postlex, lexer)


def tables_file(grammar: Path) -> Path:
    """Where the tables of a grammar are kept."""
    return grammar.with_suffix(".tables.json")


def tables_of(grammar: Path) -> str:
    """What is to be kept there: the same text whenever the grammar is, and lark."""
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    text = grammar.read_text("utf-8")
    data, memo = _from_text(text, None, CONTEXTUAL).memo_serialize([TerminalDef, Rule])
    table = data["parser"]["parser"]
    data["parser"]["parser"] = _in_order(table)
    for terminal in memo.values():
        width = terminal.get("pattern", {}).get("_width")
        if width:  # of the shortest and the longest text; what stands for no bound differs between versions of Python
            terminal["pattern"]["_width"] = [min(each, NO_BOUND) for each in width]
    kept = {"lark": lark.__version__, "grammar": _digest(text), "data": data, "memo": memo}
    return json.dumps(kept, separators=(",", ":")) + "\n"


def _in_order(table: dict[str, Any]) -> dict[str, Any]:
    """A parse table with tokens numbered by name, and states by when they are first met from the start.

    Lark numbers both as it meets them in sets of texts, which Python orders anew in every process.
    """
    names = sorted(table["tokens"].values())
    number = {token: names.index(name) for token, name in table["tokens"].items()}
    sorted_states = {
        state: sorted((number[token], action) for token, action in actions.items())
        for state, actions in table["states"].items()
    }
    met = dict.fromkeys(table["start_states"][name] for name in sorted(table["start_states"]))
    queue = list(met)
    for state in queue:  # grows
        for _, (kind, target) in sorted_states[state]:
            if kind == SHIFT and target not in met:
                met[target] = None
                queue.append(target)
    place = {state: at for at, state in enumerate(met)}

    def moved(action: tuple[int, Any]) -> list[Any]:
        kind, target = action
        return [kind, place[target] if kind == SHIFT else target]

    return {
        "tokens": dict(enumerate(names)),
        "states": {place[state]: {token: moved(action) for token, action in sorted_states[state]} for state in met},
        "start_states": {name: place[state] for name, state in sorted(table["start_states"].items())},
        "end_states": {name: place[state] for name, state in sorted(table["end_states"].items())},
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _from_text(text: str, postlex: Any, lexer: Any) -> lark.Lark:
    return lark.Lark(text, parser="lalr", lexer=lexer, propagate_positions=True, postlex=postlex)


def _from_tables(kept: dict[str, Any], postlex: Any, lexer: Any) -> lark.Lark:
    """Lark's own way back from `memo_serialize`; JSON has turned numbers that were keys into texts.

    Where tokens come from is not in the tables: it takes the place of the lexer that they were made with.
    """
    data, memo = kept["data"], _numbered(kept["memo"])
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = lexer
    table = data["parser"]["parser"]
    table["tokens"] = _numbered(table["tokens"])
    table["states"] = {state: _numbered(actions) for state, actions in _numbered(table["states"]).items()}
    loaded: lark.Lark = lark.Lark._load_from_dict(data, memo, postlex=postlex, propagate_positions=True)  # type: ignore[no-untyped-call]
    return loaded


def _numbered(mapping: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in mapping.items()}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        tables_file(Path(name)).write_text(tables_of(Path(name)), "utf-8")
