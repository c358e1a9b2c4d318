"""The files in tests/data, with the format, the task and the docs that must be read from each."""

from .paths import ROOT

DATA = ROOT / "tests" / "data"
PER, LOC = "PER", "LOC"
ANNA = ("Anna Bell", PER)


def of_entities(doc):
    return doc.text.strip(), [(ent.text, ent.label_) for ent in doc.ents]


def of_tags(doc):
    return doc.text.strip(), [token.tag_ for token in doc]


def of_labels(doc):
    return doc.text, doc.cats


def of_numbers(doc):
    return doc.text, doc._.regression


def of_pairs(doc):
    return doc.text, doc._.translation


READ = {
    "ner": of_entities,
    "tagger": of_tags,
    "textcat": of_labels,
    "textcat_multilabel": of_labels,
    "regressor": of_numbers,
    "translator": of_pairs,
    "lm": lambda doc: doc.text,
}


def labels(all_labels):
    """Make a function that gives the values of all labels, given the names of the true ones."""
    return lambda own: {name: float(name in own.split()) for name in all_labels.split()}


intents, moods, topics, dishes = map(
    labels,
    ("card_arrival change_pin", "negative positive", "economy politics technology", "food room"),
)
kinds, flags = labels("complaint praise"), labels("rude spam")
rome = [("Anna Bell left Rome", [ANNA, ("Rome", LOC)]), ("Rome is old", [("Rome", LOC)])]
sleepers = [("Anna sleeps", [("Anna", PER)]), ("Rome sleeps", [("Rome", LOC)])]
french = [
    ("The cat sleeps.", "Le chat dort."),
    ("Where is the dog?", "Où est le chien ?"),
    ("We are cold.", "Nous avons froid."),
]
met = ("Anna Bell met Bob in Rome.", [ANNA, ("Bob", PER), ("Rome", LOC)])
rained = ("It rained all day.", [])

#: format, task and docs of each file
EXPECTED = {
    "intents.csv": (
        "table",
        "textcat",
        [
            ("My card has not arrived, where is it?", intents("card_arrival")),
            ("How do I change my PIN?", intents("change_pin")),
            ("The new card is still not here.", intents("card_arrival")),
            ('I forgot my "PIN" again.', intents("change_pin")),
            ("When will the card come?", intents("card_arrival")),
            ("Can I choose another PIN?", intents("change_pin")),
        ],
    ),
    "topics.csv": (
        "table",
        "textcat_multilabel",
        [
            ("The new phone and its price.", topics("technology economy")),
            ("The election of the mayor.", topics("politics")),
            ("A tax on phones was proposed.", topics("technology economy politics")),
            ("Prices have risen again this year.", topics("economy")),
        ],
    ),
    "flags.csv": (
        "table",
        "textcat_multilabel",
        [
            ("Buy cheap watches here!", flags("spam")),
            ("You are all idiots.", flags("rude")),
            ("I think the answer is no.", flags("")),
            ("Buy it here you fool!", flags("rude spam")),
        ],
    ),
    "ratings.tsv": (
        "table",
        "regressor",
        [
            ("A great film with great songs.", {"stars": 4.5}),
            ("It was neither good nor bad.", {"stars": 2.5}),
            ("I want my money back.", {"stars": 0.5}),
        ],
    ),
    "pairs.tsv": ("table", "translator", french),
    "pairs_header.csv": (
        "table",
        "translator",
        [french[0], ("Where, then, is the dog?", "Où est donc le chien ?"), french[2]],
    ),
    "pairs.jsonl": ("json", "translator", [french[0], french[2]]),
    "aligned.en": ("aligned", "translator", french),
    "iob1.conll": (
        "conll",
        "ner",
        [
            ("Anna Bell met Bob Paris .", [ANNA, ("Bob", PER), ("Paris", PER)]),
            ("She sleeps", []),
            ("Rome is old", [("Rome", LOC)]),
        ],
    ),
    "iob2.conll": ("conll", "ner", rome),
    "biluo.conll": ("conll", "ner", rome),
    "bioes.conll": ("conll", "ner", rome),
    "io.conll": ("conll", "ner", rome),
    "bmes.conll": (
        "conll",
        "ner",
        [("Anna Maria Bell left Rome", [("Anna Maria Bell", PER), ("Rome", LOC)]), rome[1]],
    ),
    "header.tsv": ("conll", "ner", sleepers),
    "germeval.tsv": (
        "conll",
        "ner",
        [("Anna von Rom schläft", [("Anna von Rom", PER)]), ("Rom schläft", [("Rom", LOC)])],
    ),
    "tags.tsv": (
        "conll",
        "tagger",
        [
            ("The cat sleeps", ["DET", "NOUN", "VERB"]),
            ("A dog barks", ["DET", "NOUN", "VERB"]),
        ],
    ),
    "treebank.conllu": (
        "conllu",
        "tagger",
        [("Don't go.", ["VB", "RB", "VB", "."]), ("Cats sleep", ["NNS", "VBP"])],
    ),
    "entities.conllup": ("conllu", "ner", sleepers),
    "fasttext.txt": (
        "fasttext",
        "textcat",
        [
            ("The soup was warm and good.", kinds("praise")),
            ("My soup was cold.", kinds("complaint")),
            ("Friendly people, nice room.", kinds("praise")),
        ],
    ),
    "fasttext_several.txt": (
        "fasttext",
        "textcat_multilabel",
        [
            ("The soup was good.", {"food": 1.0, "praise": 1.0, "room": 0.0}),
            ("The room is small.", {"food": 0.0, "praise": 0.0, "room": 1.0}),
        ],
    ),
    "folders": (
        "folders",
        "textcat",
        [
            ("Nobody came to our table.\nWe left after an hour.", kinds("complaint")),
            ("A lovely evening by the lake.", kinds("praise")),
            ("The best bread in town.", kinds("praise")),
        ],
    ),
    "reviews.jsonl": (
        "json",
        "textcat",
        [
            ("The plot was great.", moods("positive")),
            ("I slept all the time.", moods("negative")),
            ("I would see it again.", moods("positive")),
            ("It was far too long.", moods("negative")),
        ],
    ),
    "tokens.jsonl": ("json", "ner", [("Anna Bell sleeps .", [ANNA]), ("It rained .", [])]),
    "doccano_spans.jsonl": (
        "json",
        "ner",
        [met, rained, ("Bob went to Paris by train.", [("Bob", PER), ("Paris", LOC)])],
    ),
    "doccano_relations.jsonl": (
        "json",
        "ner",
        [("Anna Bell lives in Rome.", [ANNA, ("Rome", LOC)]), rained],
    ),
    "doccano_labels.jsonl": (
        "json",
        "textcat_multilabel",
        [
            ("The soup was cold.", kinds("complaint")),
            ("Good soup, nice room.", kinds("praise")),
            ("Good soup, small room.", kinds("complaint praise")),
        ],
    ),
    "label_studio.json": ("json", "ner", [(met[0], [ANNA, ("Rome", LOC)]), rained]),
    "label_studio_min.json": (
        "json",
        "ner",
        [
            ("Anna lives in Rome.", [("Anna", PER), ("Rome", LOC)]),
            ("It is in Paris.", [("Paris", LOC)]),
        ],
    ),
    "label_studio_choices.json": (
        "json",
        "textcat",
        [
            ("The soup was good.", {"bad": 0.0, "good": 1.0}),
            ("My soup was cold.", {"bad": 1.0, "good": 0.0}),
        ],
    ),
    "prodigy_spans.jsonl": ("json", "ner", [("Anna lives in Rome.", [("Anna", PER)]), rained]),
    "prodigy_options.jsonl": (
        "json",
        "textcat_multilabel",
        [
            ("The soup was good.", dishes("food")),
            ("Soup in my room!", dishes("food room")),
            ("It rained all day.", dishes("")),
        ],
    ),
    "prodigy_binary.jsonl": (
        "json",
        "textcat_multilabel",
        [("The soup was good.", {"food": 1.0}), ("It rained all day.", {"food": 0.0})],
    ),
    "lines.txt": (
        "lines",
        "lm",
        ["A short text in a line.", "And another one.", "The third text ends here."],
    ),
    "paragraphs.txt": (
        "paragraphs",
        "lm",
        [
            "The first paragraph has\ntwo lines.",
            "The second one has one line.",
            "The third has\nthree\nlines.",
        ],
    ),
}
