"""Find words that the glossary replaces: in templates, messages, docstrings, comments and guides.

``python scripts/check_words.py`` prints a line for each find and exits with 1 if there is any;
``make lint`` calls it. ``--sample 20 --seed 1`` prints sentences of the screens drawn at random,
for reading. Only words that are unambiguous stand here; ``docs/glossary.md`` has them all.
Migrations and decisions (which are history) are exempt.
"""

from __future__ import annotations

import argparse
import ast
import io
import random
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ("annotator", "ner_engine", "bench", "scripts", "tests")
#: Their own words are the list of what not to write, or quotations.
EXEMPT = ("scripts/check_words.py", "tests/packaging/test_words.py", "docs/glossary.md")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

#: Pattern -> what to write. Matched without regard to case, whole words.
WORDS: dict[str, str] = {
    r"swept": "bulk-accepted",
    r"anew": "again, from scratch, re-...",
    r"judg(e|es|ed|ing|ings|ement)": "evaluate, evaluation",
    r"tells|told": "predicts, suggests, says, shows",
    r"suspicions?|suspicious": "label error (candidate), unusual",
    r"doubts?|doubtful": "uncertain suggestion",
    r"remarks?": "comment",
    r"blend(s|ed|ing)?": "weight averaging",
    r"lossiness": "loss report",
    r"says? otherwise|said otherwise": "disagrees",
    r"what waits|what serves|what it began from": "waiting legends, serving model, base model",
    r"in service|into service": "serving, promote",
    r"all the same": "anyway",
    r"by lot": "at random",
    r"trains by itself": "automatic training",
    r"go on with|goes on with|gone on with|went on with": "continue, resume",
    r"signs? of life": "heartbeat",
    r"(is|are|was|were|be) passed over": "skipped",
    r"(makes?|free) room|room on the disk": "disk space",
    r"put away": "retire, deactivate, archive",
    r"admin panel": "admin site",
    r"nobody here|is no way to|were others": "say what is wrong and what to do",
    r"(train|eval|evaluation|test|held-out) sides?": "split",
    r"verdict of the gate|gate's verdict": "gate result",
    r"try it out|tried out|trying out": "dry run",
    r"key table": "shortcuts, key bindings",
    r"as one likes|of one's own": "your own, custom",
}
_WORDS = [(re.compile(rf"\b(?:{word})\b", re.IGNORECASE), better) for word, better in WORDS.items()]
_RELATIVE = re.compile(r"(What|How|Which|Where|Who|Whose|Whatever|Whether)\b")


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of prose and where it stands."""

    path: Path
    line: int
    prose: str
    kind: str

    @property
    def place(self) -> str:
        """Return ``path:line``."""
        return f"{self.path}:{self.line}"


def texts() -> Iterator[Text]:
    """Yield all prose that is checked, file by file."""
    for path in sorted(_python_files()):
        yield from python_texts(path)
    for path in sorted((ROOT / "templates").rglob("*.html")):
        yield from line_texts(path, "template")
    for folder in ("static/js", "static/css"):
        for path in sorted((ROOT / folder).rglob("*.*s")):
            yield from line_texts(path, "script")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if "decisions" not in path.parts:
            yield from line_texts(path, "guide")


def _python_files() -> Iterator[Path]:
    for folder in PYTHON:
        for path in (ROOT / folder).rglob("*.py"):
            if "migrations" not in path.parts:
                yield path


def python_texts(path: Path) -> Iterator[Text]:
    """Yield strings, docstrings and comments of a Python file."""
    source = path.read_text(encoding="utf-8")
    place = path.relative_to(ROOT)
    tree = ast.parse(source)
    docstrings = set(_docstring_nodes(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            kind = "docstring" if node in docstrings else "message"
            yield Text(place, node.lineno, node.value, kind)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(place, token.start[0], token.string, "comment")


def _docstring_nodes(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, *_FUNCTIONS)) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            yield first.value


def line_texts(path: Path, kind: str) -> Iterator[Text]:
    """Yield a text file line by line."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        yield Text(path.relative_to(ROOT), number, line, kind)


def findings() -> Iterator[str]:
    """Yield a sentence for each word that the glossary replaces."""
    for text in texts():
        if text.path.as_posix() in EXEMPT:
            continue
        if text.kind == "message" and text.path.parts[0] == "tests":
            continue  # data of the tests
        for pattern, better in _WORDS:
            match = pattern.search(text.prose)
            if match and not _is_name(text, match):
                yield f'{text.place}: "{match[0]}" in a {text.kind}; write: {better}'
    yield from _relative_docstrings()


def _is_name(text: Text, match: re.Match[str]) -> bool:
    """Return whether the match is a stored value or a name that other programs use, not prose."""
    before = text.prose[max(0, match.start() - 1) : match.start()]
    after = text.prose[match.end() : match.end() + 1]
    if " " not in text.prose.strip() or after == ":":
        return True
    return before in tuple("_`/=\"'{}<.-") or after in tuple("_`/=\"'{}<")


def _relative_docstrings() -> Iterator[str]:
    """Yield functions whose docstring begins with a relative clause, boolean ones left out."""
    for path in sorted(_python_files()):
        if path.relative_to(ROOT).parts[0] == "tests":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, _FUNCTIONS) and not _is_attribute(node):
                match = _RELATIVE.match(ast.get_docstring(node) or "")
                if match:
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield f'{where}: the docstring of {node.name} begins with "{match[0]}"'


def _is_attribute(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether the function answers yes or no, or is a property: these may say "Whether"."""
    if isinstance(function.returns, ast.Name) and function.returns.id == "bool":
        return True
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def screen_sentences() -> list[Text]:
    """Return what people read on screens: sentences in templates and in the site's messages."""
    tag = re.compile(r"\{[%{#].*?[%}#]\}|<[^>]*>")
    found = []
    for text in texts():
        is_screen = text.kind == "template" or (
            text.kind == "message" and text.path.parts[0] in ("annotator", "ner_engine")
        )
        prose = " ".join(tag.sub(" ", text.prose).split())
        if is_screen and len(prose.split()) >= 4 and prose[:1].isupper():
            found.append(Text(text.path, text.line, prose, text.kind))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found, or a sample of sentences; exit code 1 if a word was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=int, metavar="N", help="print N sentences of the screens")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample (0)")
    parser.add_argument("--only", default="", metavar="FOLDER", help="findings below this folder")
    chosen = parser.parse_args(arguments)
    if chosen.sample:
        generator = random.Random(chosen.seed)  # noqa: S311 - a sample for reading, not a secret
        for text in generator.sample(screen_sentences(), chosen.sample):
            print(f"{text.place}: {text.prose}")
        return 0
    found = [finding for finding in findings() if finding.startswith(chosen.only)]
    print("\n".join(found))
    print(f"{len(found)} to replace; docs/glossary.md says why." if found else "No such word.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
