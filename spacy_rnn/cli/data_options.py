"""Options of commands that read texts or data files, and the file that they describe."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional, Type, Union

from spacy.language import Language
from spacy.util import get_lang_class
from typer import Argument, Option

from .io import fail

if TYPE_CHECKING:
    from ..readers.data_file import DataFile

TaskOption = Annotated[
    Optional[str],
    Option(
        "--task",
        "-t",
        help="Task: tagger, ner, textcat, textcat_multilabel, regressor, translator or lm; omit to "
        "guess",
    ),
]
LangOption = Annotated[str, Option("--lang", "-l", help="Language code, for the tokenizer")]
TextsArgument = Annotated[
    Path,
    Argument(
        help="File with one text on each line, a .csv or .tsv table, or a .jsonl file, compressed "
        "or not; - for the lines of standard input",
        allow_dash=True,
    ),
]
DelimiterOption = Annotated[
    Optional[str],
    Option(
        "--delimiter",
        help="Separator of columns; \\t for a TAB",
        callback=lambda text: "\t" if text == "\\t" else text,
    ),
]
QuotesOption = Annotated[
    Optional[bool], Option("--quotes/--no-quotes", help="Fields may be quoted by double quotes")
]
EncodingOption = Annotated[str, Option("--encoding", help="Encoding of text files")]
TargetOption = Annotated[
    Optional[Path], Option("--target", help="File with the translation of each line")
]


@dataclass(frozen=True)
class TextOptions:
    """The options of commands that read texts without annotations."""

    text_column: Annotated[
        str,
        Option(
            "--text-column",
            help="Column of a table (a number from 0 without a header) or key of JSON with the "
            "texts; OUTER.INNER for nested objects",
        ),
    ] = "text"
    delimiter: DelimiterOption = None
    quotes: QuotesOption = None
    encoding: EncodingOption = "utf-8"


@dataclass(frozen=True)
class DataOptions:
    """The options of commands that read a data file, named as the settings of `detect`."""

    format: Annotated[
        str, Option("--format", "-f", help="Format of the data, 'auto' to recognize it")
    ] = "auto"
    columns: Annotated[
        Optional[str],
        Option(
            "--columns",
            help="Column of each role, such as text=sentence,label=intent or tokens=0,entities=3 "
            "(a number from 0 without a header)",
        ),
    ] = None
    separator: Annotated[
        Optional[str],
        Option(
            "--separator", help="Separator of several labels in one field; '' if each is one label"
        ),
    ] = None
    delimiter: DelimiterOption = None
    header: Annotated[
        Optional[bool],
        Option("--header/--no-header", help="The first row has the names of columns"),
    ] = None
    quotes: QuotesOption = None
    encoding: EncodingOption = "utf-8"
    n_sents: Annotated[
        int, Option("--n-sents", "-n", help="Sentences of a document, in CoNLL and CoNLL-U")
    ] = 1
    merge_subtokens: Annotated[
        bool,
        Option(
            "--merge-subtokens", "-T", help="Make one token of each multi-word token of CoNLL-U"
        ),
    ] = False


#: the options of a command that has none of them
DEFAULTS = DataOptions()


def with_options(kind: Type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a decorator that adds a group of options to a command.

    kind (Type[Any]): `TextOptions` or `DataOptions`.
    RETURNS (Callable): The decorator. The last argument of the command, `options`, gets them.
    """
    added = signature(kind).parameters

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        *own, _ = signature(command).parameters.values()

        @wraps(command)
        def command_with_options(**arguments: Any) -> None:
            options = kind(**{name: arguments.pop(name) for name in added})
            command(**arguments, options=options)

        parameters = [*own, *added.values()]
        vars(command_with_options)["__signature__"] = Signature(parameters)
        return command_with_options

    return decorate


def parse_columns(text: Optional[str]) -> Optional[Dict[str, Union[str, List[str]]]]:
    """Parse the option for columns. A role that is given several times has a list of columns.

    text (Optional[str]): The option, such as "text=sentence,label=intent".
    RETURNS (Optional[Dict[str, Union[str, List[str]]]]): The columns of each role.
    """
    if text is None:
        return None
    found: Dict[str, Union[str, List[str]]] = {}
    for part in text.split(","):
        role, equals, name = part.partition("=")
        if not (equals and role.strip() and name):
            fail(f"'{part}' in --columns is not a role and a column. Write text=NAME,label=NAME.")
        known = found.get(role.strip())
        names = [*([known] if isinstance(known, str) else known or []), name]
        found[role.strip()] = names if len(names) > 1 else name
    return found


def language_of(lang: str) -> Type[Language]:
    """Get the class of a language.

    lang (str): The language code.
    RETURNS (Type[Language]): The class.
    RAISES (ValueError): If spaCy lacks the language.
    """
    try:
        return get_lang_class(lang)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"spaCy has no language '{lang}'. Use the code of one that it has, such as 'de' "
            f"(https://spacy.io/usage/models#languages), or 'xx' for any other."
        ) from error


def detect_data(
    path: Path,
    task: Optional[str] = None,
    options: DataOptions = DEFAULTS,
    target_path: Optional[Path] = None,
) -> "DataFile":
    """Find out how a data file is read.

    path (Path): The file or folder.
    task (Optional[str]): The task, None to guess.
    options (DataOptions): The options.
    target_path (Optional[Path]): The file with the translation of each line.
    RETURNS (DataFile): The file.
    """
    from ..readers.data_file import detect

    settings = {**vars(options), "columns": parse_columns(options.columns)}
    return detect(path, task, target_path=target_path, **settings)
