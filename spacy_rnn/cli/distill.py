"""python -m spacy rnn distill: a small pipeline that answers as a large one."""

import sys
from functools import cache, partial
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Union,
)

import typer
from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from spacy.language import DEFAULT_CONFIG, Language
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import (
    get_package_path,
    is_package,
    load_config,
    load_model_from_config,
    registry,
    resolve_dot_names,
)
from thinc.api import Config
from tqdm import tqdm
from typer import Argument, Option
from wasabi import msg, table

from ..text_files import ending_of
from .data_options import TextOptions, detect_data, with_options
from .evaluate import task_of
from .io import (
    batch_size_option,
    code_option,
    fail,
    gpu_option,
    load,
    n_process_option,
    output_option,
    size_of,
    use_gpu,
    write,
)
from .scores import show_score

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from ..distillation.answering import Counts
    from ..distillation.teachers import Teachers

#: in the output folder
ANSWERS, MODEL, REPORT = "answers", "model-best", "report.json"


@with_options(TextOptions)
def distill_cli(
    ctx: typer.Context,  # only to read overrides
    teacher: Annotated[
        str,
        Argument(
            help="Pipeline: path or name of a package; or the labels of any other source, a .spacy "
            "or .jsonl file"
        ),
    ],
    config_path: Annotated[Path, Argument(help="Config of the student", exists=True)],
    output: Annotated[Path, output_option("Folder of the answers, the models and the report")],
    texts: Annotated[
        Optional[Path],
        Option(
            "--texts",
            help="File with one text on each line, a .csv or .tsv table, or a .jsonl file, "
            "compressed or not",
            exists=True,
        ),
    ] = None,
    gold: Annotated[
        Optional[Path], Option("--gold", help="Annotated data to learn from too", exists=True)
    ] = None,
    dev: Annotated[
        Optional[Path],
        Option(
            "--dev",
            help="Annotated data that selects the best model and scores both pipelines, as the "
            "config reads it; omit for the answers to some texts",
            exists=True,
        ),
    ] = None,
    more: Annotated[
        Optional[List[str]],
        Option("--teacher", help="Further pipeline, whose answers are averaged; repeatable"),
    ] = None,
    exclude: Annotated[
        str, Option("--exclude", help="Components that teachers do not need, separated by commas")
    ] = "",
    attr: Annotated[
        str,
        Option("--attr", help="Doc extension in which a component of a teacher sets soft labels"),
    ] = "soft_labels",
    batch_size: Annotated[
        Optional[int], batch_size_option("Texts in a batch; omit for the teacher's own")
    ] = None,
    n_process: Annotated[int, n_process_option()] = 1,
    train: Annotated[
        bool, Option("--train/--no-train", help="Train the student, or write the answers only")
    ] = True,
    resume: Annotated[
        bool, Option("--resume", "-R", help="Continue from the checkpoint of the student, if any")
    ] = False,
    code: Annotated[Optional[Path], code_option()] = None,
    gpu_id: Annotated[int, gpu_option()] = -1,
    *,
    options: TextOptions,
) -> None:
    """Train a pipeline to answer as another one does, and compare both.

    The teacher answers all texts, with probabilities where it has some. Answers are kept in the
    folder: an interrupted run continues with the same command. Of ten different texts one is
    held out, up to 2000, to measure agreement. Settings of the config can be overridden as for
    'spacy train', also those of its reader, spacy_rnn.Distilled.v1 in [corpora.train].
    """
    from ..distillation.answering import GOLD, HELD_OUT, TRAIN
    from ..distillation.student import check_settings, student_config
    from ..distillation.teachers import GivenAnswers, Teacher, Teachers
    from ..readers.answers import JSON_LINES, SPACY

    given = ending_of(Path(teacher)) in (SPACY, JSON_LINES)
    if given and (texts is not None or more):
        fail(f"'{teacher}' has answers already: leave out --texts and --teacher.")
    if given and not Path(teacher).exists():
        fail(f"There is no file '{teacher}'. Check the path.")
    if not given and texts is None:
        fail("Give the texts to answer with --texts.")
    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    use_gpu(gpu_id)
    with show_validation_error(config_path, show_config=False):
        config = load_config(config_path, overrides=overrides, interpolate=False)
        config = DEFAULT_CONFIG.merge(config)
        # Its readers are not yet those that it will have.
        filled = config.interpolate()
        parts = {name: filled[name] for name in ("nlp", "components")}
        blank = load_model_from_config(parts, auto_fill=True)
        for name in filled["training"].get("frozen_components", []):
            blank.disable_pipe(name)
    corpus = config["training"]["train_corpus"]
    of_reader = [name for name in overrides if name.startswith(f"{corpus}.")]
    check_settings(corpus, (name[len(corpus) + 1 :].split(".")[0] for name in of_reader))
    names = [teacher, *(more or [])]
    load_teachers = partial(_load_all, names, [name for name in exclude.split(",") if name])

    @cache
    def teachers() -> "Teachers":
        if given:
            return GivenAnswers()
        loaded = [Teacher(nlp, attr) for nlp in load_teachers()]
        return Teachers(loaded, _extensions(blank), batch_size, n_process)

    if (output / "meta.json").exists():
        fail(f"'{output}' is the folder of a pipeline. Choose another --output.")
    folder = output / ANSWERS
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"The folder '{folder}' can't be created: {error}. Choose another --output.")
    source = Path(teacher) if given else texts
    settings = {
        "teachers": [_checksum(name) for name in names],
        "exclude": exclude,
        "attr": attr,
        "texts": [_checksum(source), *vars(options).values()],
        "gold": _checksum(gold),
        "extensions": _extensions(blank),
    }
    msg.divider("Answers")
    found = _read(blank, source, options, given)
    needed = train and dev is None
    counts = _answer(folder, settings, teachers, found, _read_gold(blank, gold), blank, needed)
    msg.good(f"Answers in {folder}: {_describe(counts)}")
    if not train:
        return
    with_gold = folder / GOLD if counts.gold else None
    config = student_config(config, folder / TRAIN, folder / HELD_OUT, with_gold, dev)
    if not _train(config, config_path, output, dev, resume, gpu_id):
        # The report would be that of half a training.
        return
    student = load(str(output / MODEL))
    answered = folder / HELD_OUT if counts.held_out else None
    report = make_report(student, answered, dev, None if given else teachers())
    report["texts"] = vars(counts)
    others = {} if given else dict(zip(names, load_teachers(), strict=True))
    report["pipelines"] = compare({"student": student, **others}, report.pop("docs"))
    print_report(report)
    write(output / REPORT, report)


def _load_all(names: Sequence[str], exclude: Sequence[str]) -> List[Language]:
    found = [load(name, exclude) for name in names]
    configs = [load_config(nlp.path / "config.cfg") for nlp in found]
    components = {name: None for config in configs for name in config["components"]}
    unknown = [name for name in exclude if name not in components]
    if unknown:
        fail(
            f"The teacher has no component {', '.join(map(repr, unknown))} to --exclude. Its "
            f"components: {', '.join(components) or 'none'}."
        )
    return found


def _checksum(source: Any) -> Optional[str]:
    """The checksum of a file, or of a pipeline by its path or the name of its package."""
    from ..distillation.answering import checksum_of

    if isinstance(source, str):
        source = get_package_path(source) if is_package(source) else Path(source)
        if not source.exists():
            fail(f"There is no pipeline '{source}': give its path or the name of a package.")
    return checksum_of(source)


def _extensions(nlp: Language) -> List[str]:
    """The Doc extensions that the components of a pipeline learn from."""
    from ..pipeline.base import RNNPipe

    pipes = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, RNNPipe)]
    names = [name for pipe in pipes for name in pipe.gold_annotation]
    return [name.removeprefix("doc._.") for name in names if name.startswith("doc._.")]


def _read(
    nlp: Language, path: Optional[Path], options: TextOptions, given: bool
) -> "Iterator[Union[str, Doc]]":
    from ..readers.answers import read_answers
    from .texts import read_texts

    assert path is not None
    return iter(read_answers(nlp, path) if given else read_texts(path, options))


def _read_gold(nlp: Language, path: Optional[Path]) -> "Iterator[Doc]":
    from ..distillation.answering import check_gold

    if path is not None:
        file = detect_data(path, task_of(nlp))
        check_gold(nlp, (Example(doc, doc) for doc in file.read(nlp)), path)
        yield from file.read(nlp)


def _answer(
    folder: Path,
    settings: Dict[str, Any],
    teachers: "Callable[[], Teachers]",
    texts: "Iterator[Union[str, Doc]]",
    gold: "Iterator[Doc]",
    student: Language,
    needs_held_out: bool,
) -> "Counts":
    from ..distillation.answering import answer_texts, check_answers

    def progress(numbers: Iterator[int]) -> Iterator[int]:
        with tqdm(unit=" texts", disable=None) as bar:
            for n in numbers:
                bar.update(n)
                yield n

    check = partial(check_answers, student, teachers)
    return answer_texts(
        folder, settings, teachers, texts, gold, check, progress, needs_held_out, student.max_length
    )


def _describe(counts: "Counts") -> str:
    found = [f"{counts.train:,} texts to learn from", f"{counts.held_out:,} held out"]
    found += [f"{counts.gold:,} with gold labels"] * bool(counts.gold)
    found += [f"{counts.empty:,} empty ones left out"] * bool(counts.empty)
    found += [f"{counts.too_long:,} too long ones left out"] * bool(counts.too_long)
    return ", ".join(found)


def _train(
    config: Config, path: Path, output: Path, dev: Optional[Path], resume: bool, gpu_id: int
) -> bool:
    """Train the student. Returns False if the training was interrupted."""
    from ..distillation.answering import check_gold
    from ..training.loop import train

    msg.divider("Initializing pipeline")
    with show_validation_error(path, hint_fill=False, show_config=False):
        nlp = init_nlp(config, use_gpu=gpu_id)
    if dev is not None:
        filled = nlp.config.interpolate()
        (reader,) = resolve_dot_names(filled, [filled["training"]["dev_corpus"]])
        with nlp.select_pipes(disable=filled["training"]["frozen_components"]):
            check_gold(nlp, reader(nlp), dev)
    msg.divider("Training pipeline")
    return train(nlp, output, resume=resume, use_gpu=gpu_id, stdout=sys.stdout, stderr=sys.stderr)


def make_report(
    student: Language,
    held_out: Optional[Path],
    dev: Optional[Path],
    teachers: "Optional[Teachers]",
) -> Dict[str, Any]:
    """Score a student and its teachers.

    student (Language): The student, with the config that it was trained by.
    held_out (Optional[Path]): Answers that it has not learned from.
    dev (Optional[Path]): Gold examples.
    teachers (Optional[Teachers]): The teachers, if they are pipelines.
    RETURNS (Dict[str, Any]): The scores, and the documents that they are about as "docs".
    """
    from ..distillation.report import score_student, score_teachers
    from ..distillation.student import reader_of
    from ..features.soft_labels import n_unanswered

    report: Dict[str, Any] = {"docs": []}
    config = student.config.interpolate()
    if held_out is not None:
        block = {**reader_of(config, held_out), "augmenter": None, "limit": 0}
        reader = registry.resolve({"reader": Config(block)})["reader"]
        examples = list(reader(student))
        report["agreement"] = score_student(student, examples)
        report["tokens"] = sum(len(eg.predicted) for eg in examples)
        report["tokens_without_answer"] = sum(map(n_unanswered, examples))
        report["docs"] = [eg.predicted for eg in examples]
    if dev is not None:
        (reader,) = resolve_dot_names(config, [config["training"]["dev_corpus"]])
        examples = list(reader(student))
        report["gold"] = {"student": score_student(student, examples)}
        if teachers is not None:
            maps = reader_of(config, dev).get("labels") or {}
            report["gold"]["teacher"] = score_teachers(teachers, student, examples, maps)
        report["docs"] = report["docs"] or [eg.predicted for eg in examples]
    return report


def compare(pipelines: Dict[str, Language], docs: "Sequence[Doc]") -> Dict[str, Dict[str, float]]:
    """Measure pipelines on the same documents in one run.

    pipelines (Dict[str, Language]): The pipelines.
    docs (Sequence[Doc]): The documents.
    RETURNS (Dict[str, Dict[str, float]]): The bytes on the disk, words per second and milliseconds
        of one text for each.
    """
    from ..analysis.compression import run

    found = {}
    for name, nlp in pipelines.items():
        _, speed = run(nlp, docs)
        found[name] = {"bytes": size_of(nlp.path), **speed._asdict()}
    return found


def print_report(report: Mapping[str, Any]) -> None:
    """Print the tables of a report.

    report (Mapping[str, Any]): As the command writes it.
    """
    aligns: Any = ("l", "r", "r", "r")
    rows: List[Any] = [
        (name, f"{p['bytes'] / 1e6:.2f}", f"{p['words']:,.0f}", f"{p['milliseconds']:.2f}")
        for name, p in report["pipelines"].items()
    ]
    header = ("pipeline", "MB of the folder", "words/s", "ms of a text")
    print(table(rows, header=header, divider=True, aligns=aligns))
    columns = {
        "agreement": report.get("agreement", {}),
        **{f"{name} on gold": scores for name, scores in report.get("gold", {}).items()},
    }
    names = dict.fromkeys(name for scores in columns.values() for name in scores)
    rows = [
        (name, *(show_score(name, scores.get(name)) for scores in columns.values()))
        for name in names
    ]
    aligns = ("l", *"r" * len(columns))
    print(table(rows, header=("score", *columns), divider=True, aligns=aligns))
    for name, scores in columns.items():
        if not scores:
            msg.warn(
                f"There are no scores of {name}: the texts have nothing of what the student "
                f"predicts. Give more texts."
            )
    lost = report.get("tokens_without_answer")
    if lost:
        msg.text(f"{lost:,} of {report['tokens']:,} tokens have no answer: the teacher has others.")
