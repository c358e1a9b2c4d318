"""Options of commands that read data files, and the file that they describe."""

from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional, Type, Union

from spacy.language import Language
from spacy.util import get_lang_class
from typer import Argument, Option

from .io import fail

TaskOption = Annotated[
    Optional[str],
    Option(
        "--task",
        "-t",
        help="Task: tagger, ner, textcat, textcat_multilabel, regressor, translator or lm; omit to "
        "guess",
    ),
]
FormatOption = Annotated[
    str, Option("--format", "-f", help="Format of the data, 'auto' to recognize it")
]
LangOption = Annotated[str, Option("--lang", "-l", help="Language code, for the tokenizer")]
ColumnsOption = Annotated[
    Optional[str],
    Option(
        "--columns",
        help="Column of each role, such as text=sentence,label=intent or tokens=0,entities=3 (a "
        "number from 0 without a header)",
    ),
]
SeparatorOption = Annotated[
    Optional[str], Option("--separator", help="Separator of several labels in one field")
]
TextsArgument = Annotated[
    Path,
    Argument(
        help="File with one text on each line, a .csv or .tsv table, or a .jsonl file, compressed "
        "or not; - for the lines of standard input",
        allow_dash=True,
    ),
]
TextColumnOption = Annotated[
    str,
    Option(
        "--text-column",
        help="Column of a table (a number from 0 without a header) or key of JSON with the texts; "
        "OUTER.INNER for nested objects",
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
HeaderOption = Annotated[
    Optional[bool], Option("--header/--no-header", help="The first row has the names of columns")
]
QuotesOption = Annotated[
    Optional[bool], Option("--quotes/--no-quotes", help="Fields may be quoted by double quotes")
]
EncodingOption = Annotated[str, Option("--encoding", help="Encoding of text files")]
TargetOption = Annotated[
    Optional[Path], Option("--target", help="File with the translation of each line")
]
NSentsOption = Annotated[
    int, Option("--n-sents", "-n", help="Sentences of a document, in CoNLL and CoNLL-U")
]
MergeOption = Annotated[
    bool,
    Option("--merge-subtokens", "-T", help="Make one token of each multi-word token of CoNLL-U"),
]


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
            fail(f"'{part}' in --columns is no role and column. Write text=NAME,label=NAME.")
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


def detect_data(path: Path, task: Optional[str], columns: Optional[str], **settings: Any) -> Any:
    """Find out how a data file is read.

    path (Path): The file or folder.
    task (Optional[str]): The task, None to guess.
    columns (Optional[str]): The option for columns.
    **settings (Any): The other options, named as the settings of `detect`.
    RETURNS (DataFile): The file.
    """
    from ..readers.data_file import detect

    return detect(path, task, columns=parse_columns(columns), **settings)
