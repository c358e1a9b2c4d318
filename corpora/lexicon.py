"""The words of the generated corpora, in categories: the terminal symbols of a grammar.

An inflected category has its form after a colon: `Na:3p` has the plural animate nouns, `Vt:3s` the
transitive verbs in the form that agrees with a singular noun, `Vt:inf` their infinitives. Words are
written as entries of `inflection`.
"""

from collections import defaultdict

from inflection import AGREEMENT, Word, compared, finite, noun, verb

NOUNS = {
    # Animate beings; those with the same form twice do not change in the plural.
    "Na": """cat dog mouse/mice wolf/wolves horse cow goat pig bird owl fox rabbit duck lion bear
        sheep/sheep deer/deer fish/fish moose/moose salmon/salmon
        bison/bison child/children man/men woman/women boy girl
        teacher farmer doctor singer student neighbour sailor thief/thieves king queen
        cook guard judge nurse pilot""",
    # Things that can be owned and moved.
    "Nt": """watch saw plant book letter lamp box knife/knives chair table bottle key hammer
        boat bicycle picture painting ring basket clock drink brush plan play coat hat
        bell cup mirror rope stone wheel aircraft/aircraft""",
    # Places.
    "Nl": """barn house river garden lake school bridge farm field hill forest market station
        kitchen park mill wall gate tower village city church road island""",
    # Places that one can go up and down.
    "Nh": "hill road tower mountain street tree",
    # Events, which give a time.
    "Ne": "dance storm wedding meeting walk race visit lesson concert fight party war",
}

NAMES = """Anna Tom Maria Peter Grace Jack Lucy Sam Nina Oscar Helen Paul Will Mark Rose May
    Ivan Clara Victor Ada"""

VERBS = {
    # Intransitive, animate subject.
    "Vi": """sleep/slept/slept run/ran/run/running walk swim/swam/swum/swimming jump wait work
        play dance sing/sang/sung laugh fish rest shout smile sit/sat/sat/sitting
        stand/stood/stood dream cook duck lie/lay/lain/lying fight/fought/fought drink/drank/drunk
        paint race read/read/read""",
    # Intransitive, with an adverb such as "fast" or "hard".
    "Vr": "run/ran/run/running walk swim/swam/swum/swimming work play dance fight/fought/fought",
    # Transitive, animate object.
    "Vt": """chase watch see/saw/seen/seeing follow find/found/found help visit like love
        hear/heard/heard guard train bite/bit/bitten hit/hit/hit/hitting hurt/hurt/hurt
        know/knew/known catch/caught/caught teach/taught/taught judge nurse call push
        hold/held/held feed/fed/fed admire lead/led/led trust fight/fought/fought paint greet""",
    # Transitive, a thing as object.
    "Vu": """carry buy/bought/bought sell/sold/sold paint clean drop/dropped/dropped/dropping
        hide/hid/hidden cut/cut/cut/cutting read/read/read break/broke/broken build/built/built
        move open close find/found/found lose/lost/lost steal/stole/stolen plant brush watch want
        see/saw/seen/seeing like need draw/drew/drawn repair burn""",
    # Taking a clause.
    "Vc": """say/said/said think/thought/thought know/knew/known hear/heard/heard believe hope
        see/saw/seen/seeing feel/felt/felt""",
    # Taking an infinitive.
    "Vw": "want hope try plan/planned/planned/planning learn like love need",
    # Motion along a path.
    "Vm": """walk run/ran/run/running go/went/gone come/came/come race
        travel/travelled/travelled/travelling fly/flew/flown drive/drove/driven hurry climb""",
    # With a particle and a thing.
    "Vp": "pick put/put/put/putting take/took/taken bring/brought/brought carry lay/laid/laid",
    # Intransitive, a thing as subject.
    "Vd": """fall/fell/fallen break/broke/broken disappear burn shine/shone/shone
        move sink/sank/sunk""",
    # Possession.
    "Vh": "have/had/had",
}

ADJECTIVES = {
    # Of beings.
    "Ja": """old young big/bigger/biggest small happy hungry quiet brave clever strong tall
        wild kind calm fast early late""",
    # Of things and places.
    "Jt": """old new big/bigger/biggest small heavy cheap dirty dark long clean narrow
        strange light""",
}
UNCOMPARED = {
    # Compared with "more" and "most".
    "Jal": "careful famous patient dangerous intelligent sensible",
    "Jtl": "expensive beautiful valuable wooden modern rusty",
    # Of places.
    "Jl": "old new big small quiet dark narrow strange",
    # Only after a verb.
    "Jp": "asleep awake alone afraid ill",
}
# Without -ly, so that their forms are those of adjectives.
ADVERBS = "fast early late hard"

# Category, UPOS, XPOS, FEATS, the words as `form/lemma`. Words of the category `X:*` go with
# every value of `AGREEMENT`.
CLOSED = """
.       PUNCT .   _                          .
?       PUNCT .   _                          ?
!       PUNCT .   _                          !
,       PUNCT ,   _                          ,
Conj    CCONJ CC  _                          and but
the/DT  DET   DT  Definite=Def|PronType=Art  the
Art:3s  DET   DT  Definite=Ind|PronType=Art  a an/a
Dem:3s  DET   DT  Number=Sing|PronType=Dem   this that
Dem:3p  DET   DT  Number=Plur|PronType=Dem   these/this those/that
Every:3s DET  DT  PronType=Tot               every each
Every:3p DET  DT  PronType=Tot               all
Some:3s DET   DT  PronType=Neg               no
Some:3s NUM   CD  NumForm=Word|NumType=Card  one
Some:3p DET   DT  PronType=Ind               some
Some:3p DET   DT  PronType=Neg               no
Some:3p ADJ   JJ  Degree=Pos                 many several few
Some:3p ADJ   JJR Degree=Cmp                 more
Num     NUM   CD  NumForm=Word|NumType=Card  two three four five six seven ten twelve
Num     NUM   CD  NumForm=Digit|NumType=Card 11 20 45 100
that/WDT PRON WDT PronType=Rel               that
which/WDT PRON WDT PronType=Rel              which
who/WP  PRON  WP  PronType=Rel               who
who/Int PRON  WP  PronType=Int               who
what/Int PRON WP  PronType=Int               what
which/Int DET WDT PronType=Int               which
there/EX PRON EX  _                          there
Here    ADV   RB  PronType=Dem               there here
that/IN SCONJ IN  _                          that
Sub     SCONJ IN  _                          because while if although before after until since
Sub     ADV   WRB PronType=Int               when
's/POS  PART  POS _                          's
to/TO   PART  TO  _                          to
Not     PART  RB  Polarity=Neg               not
Not'    PART  RB  Polarity=Neg               n't/not
Please  INTJ  UH  _                          please
Near    ADP   IN  _                          near behind beside with
In      ADP   IN  _                          in near behind beside outside
with/IN ADP   IN  _                          with
like/IN ADP   IN  _                          like
Path    ADP   IN  _                          to into past through across
Up      ADP   IN  _                          up down
Time    ADP   IN  _                          before after until since during
by/IN   ADP   IN  _                          by
than/IN ADP   IN  _                          than
as/IN   ADP   IN  _                          as
as/RB   ADV   RB  _                          as
Very    ADV   RB  _                          very
more/RBR ADV  RBR Degree=Cmp                 more
most/RBS ADV  RBS Degree=Sup                 most
Rp      ADP   RP  _                          up down
Often   ADV   RB  _                          often usually rarely
Often   ADV   RB  PronType=Tot               always
Often   ADV   RB  PronType=Neg               never
Often   ADV   RB  PronType=Ind               sometimes
How     ADV   RB  _                          quietly slowly happily carefully quickly gladly
How     ADV   RB  Degree=Pos                 badly
Once    ADV   RB  PronType=Dem               then now
Once    ADV   RB  Degree=Pos                 soon
Once    ADV   RB  _                          again
Once    NOUN  NN  Number=Sing                today
be/VB   AUX   VB  VerbForm=Inf               be
been/VBN AUX  VBN Tense=Past|VerbForm=Part   been/be
being/VBG AUX VBG Tense=Pres|VerbForm=Part   being/be
Do:imp  AUX   VB  Mood=Imp|VerbForm=Fin      do
Md:*    AUX   MD  VerbForm=Fin               can could will would must should may might
Md+n't:* AUX   MD  VerbForm=Fin               ca/can could wo/will would should
Md':*   AUX   MD  VerbForm=Fin               'll/will 'd/would
"""

# Features of the person, then the nominative, the accusative, the possessive.
PRONOUNS = """
1s  Number=Sing|Person=1              I    me   my
1p  Number=Plur|Person=1              we   us   our
3s  Gender=Masc|Number=Sing|Person=3  he   him  his
3s  Gender=Fem|Number=Sing|Person=3   she  her  her
3s  Gender=Neut|Number=Sing|Person=3  it   it   its
3p  Number=Plur|Person=3              they them their
"""

# Category, lemma and tense, then the forms for the four values of `AGREEMENT`; `-`: none.
# Forms that are attached to the subject have separate categories. So has "am", which cannot be
# followed by "n't".
AUXILIARIES = """
Am    be   Pres  am   -   -    -
Be    be   Pres  -    is  are  are
Be    be   Past  was  was were were
Be'   be   Pres  'm   's  're  're
Have  have Pres  have has have have
Have  have Past  had  had had  had
Have' have Pres  've  's  've  've
Have' have Past  'd   'd  'd   'd
Do    do   Pres  do  does do   do
Do    do   Past  did did  did  did
"""


def lexicon(tense: str) -> dict[str, list[Word]]:
    """The words by category; finite verbs are in one tense, `Past` or `Pres`."""
    words = defaultdict(list)
    for category, entries in NOUNS.items():
        for entry in entries.split():
            for form, word in noun(entry).items():
                words[f"{category}:{form}"].append(word)
    for name in NAMES.split():
        words["Nname:3s"].append(Word(name, name, "PROPN", "NNP", "Number=Sing"))
    for category, entries in VERBS.items():
        for entry in entries.split():
            for form, word in verb(entry, tense).items():
                words[f"{category}:{form}"].append(word)
    for category, entries in ADJECTIVES.items():
        for entry in entries.split():
            for form, word in compared(entry, "ADJ").items():
                words[category + form].append(word)
    for entry in ADVERBS.split():
        for form, word in compared(entry, "ADV").items():
            words["Fast" + form].append(word)
    for category, entries in UNCOMPARED.items():
        words[category] = [
            Word(lemma, lemma, "ADJ", "JJ", "Degree=Pos") for lemma in entries.split()
        ]
    for line in CLOSED.strip().splitlines():
        category, upos, xpos, feats, *entries = line.split()
        for entry in entries:
            form, _, lemma = entry.partition("/")
            word = Word(form, lemma or form, upos, xpos, feats)
            for name in dict.fromkeys(category.replace("*", value) for value in AGREEMENT):
                words[name].append(word)
    add_pronouns(words)
    add_auxiliaries(words, tense)
    return dict(words)


def add_pronouns(words: dict[str, list[Word]]) -> None:
    """Add the personal pronouns, and the possessives, whose lemma is their form."""
    for line in PRONOUNS.strip().splitlines():
        agreement, person, nominative, accusative, possessive = line.split()
        for category, case, form, lemma, xpos in (
            (f"Npro:{agreement}", "Nom", nominative, nominative, "PRP"),
            ("Acc", "Acc", accusative, nominative, "PRP"),
            ("Poss", "Gen", possessive, possessive, "PRP$"),
        ):
            poss = "|Poss=Yes" if case == "Gen" else ""
            feats = f"Case={case}|{person}{poss}|PronType=Prs"
            words[category].append(Word(form, lemma, "PRON", xpos, feats))


def add_auxiliaries(words: dict[str, list[Word]], tense: str) -> None:
    """Add the finite forms of be, have and do."""
    for line in AUXILIARIES.strip().splitlines():
        category, lemma, line_tense, *forms = line.split()
        for agreement, form in zip(AGREEMENT, forms, strict=True):
            if line_tense == tense and form != "-":
                word = finite(form, lemma, "AUX", agreement, tense)
                words[f"{category}:{agreement}"].append(word)
