"""Tagged English sentences with subject-verb agreement over long distances.

    python corpora/grammar.py OUT_DIR [--seed 0] [--train 1600] [--dev 200] [--test 300]

writes `train.conllu`, `dev.conllu` and `test.conllu`. Many words can have several tags, and the
word that disambiguates them may be far away: "The sheep near the old barns was asleep." A sentence
is only kept if the grammar allows one tagging, so that the whole sentence always determines every
tag. MISC of a finite verb has the token number of its subject: `Subj=2`. Trees are not annotated.
The same seed gives the same files.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import generation
from lexicon import lexicon
from pcfg import Grammar, Token
from writing import forms, set_articles, text, to_conllu

MAX_WORDS = 30

# The forms a verb can have: that of a noun phrase it agrees with (n, m), or any (f).
FINITE = {"3s": 0.45, "3p": 0.45, "1s": 0.05, "1p": 0.05}
VALUES = {
    "n": FINITE,
    "m": FINITE,
    "f": FINITE | {"inf": 0, "imp": 0, "en": 0, "ing": 0},
}

# Symbols of phrases about things end in T; "Gap" marks a missing object.
RULES = """
S  20  Clause .
S  1.5 Clause , Conj Clause .
S  2   Sub Clause , Clause .
S  2   Clause Sub Clause .
S  1   Time Event , Clause .
S  3   Question ?
S  1   (Please) Action:imp !
S  .5  (Please) Do:imp Not' Action:inf !

Clause  12  NP:n VP:n
Clause  5   NT:n VPT:n
Clause  2   Nhost:n VPclitic:n
Clause  1   there/EX Be:n (Neg) Nsome:n (Adjunct)

Question  2  Do:n (Not') NP:n VPs:inf
Question  3  Be:n (Not') NP:n BeRest
Question  1  Be:n (Not') NT:n BeRestT
Question  2  Have:n (Not') NP:n VPs:en
Question  2  Md:n NP:n VPs:inf
Question  1  who/Int Do:n NP:n Vt:inf (Adjunct)
Question  1  what/Int Do:n NP:n Vu:inf (Adjunct)
Question  1  who/Int Be:n NP:n Vt:ing (Adjunct)
Question  1  which/Int Nom:n VP:n

NP:n       2  Npro:n
NP:n       8  Nfull:n
Nhost:n    2  Npro:n
Nhost:n    2  Nname:n
Nhost:3s   3  D:3s Na:3s
Nshort:n   2  Npro:n
Nshort:n   5  Nbase:n
Nbase:n    1  Nname:n
Nbase:n    4  D:n (A) Na:n
Nfull:n    2  Nname:n
Nfull:n    10 D:n Nom:n
Nfull:n    1  Owner Nom:n
Nfull:n    1  the/DT Top Nom:n
Nfull:3p   1  (the/DT) Num Nom:3p
Nfull:3p   1  Nom:3p
Nsome:3s   1  Art:3s Nom:3s
Nsome:n    1  Some:n Nom:n
Nsome:3p   1  Num Nom:3p
Owner      1  Nname:3s 's/POS
Owner      2  D:3s Na:3s 's/POS

Nom:n  6  Na:n
Nom:n  3  A Na:n
Nom:n  7  (A) Na:n PP
Nom:n  5  (A) Na:n Rel VP:n
Nom:n  3  (A) Na:n ObjectRel
Nom:n  1  (A) Na:n Passive
Rel    2  that/WDT
Rel    1  who/WP
RelT   2  that/WDT
RelT   1  which/WDT
ObjectRel  2  Rel Nshort:n VPgap:n
ObjectRel  1  Nshort:n VPgap:n

NT:n    6  D:n NomT:n
NT:n    1  Owner NomT:n
NT:3p   1  (the/DT) Num NomT:3p
NomT:n  6  Nt:n
NomT:n  4  AT Nt:n
NomT:n  4  (AT) Nt:n PP
NomT:n  2  (AT) Nt:n RelT VPT:n
NomT:n  2  (AT) Nt:n RelT Nshort:m VPgapT:m
NomT:n  1  (AT) Nt:n Nshort:m VPgapT:m
NomT:n  1  (AT) Nt:n PassiveT

D:n   6  the/DT
D:n   2  Poss
D:n   2  Dem:n
D:n   .5 Some:n
D:n   .5 Every:n
D:3s  2  Art:3s

A     4  Ja
A     1  Jal
A     1  Jaer
A     1  (Very) Ja
Top   2  Jaest
Top   1  most/RBS Jal
AT    4  Jt
AT    1  Jtl
AT    1  Jter

PP       4  In Place
PP       3  Near Nbase:n
PP       1  Near Acc
PP       2  like/IN Nbase:n
PP       1  with/IN NT:n
Place    4  D:n NPlace:n
NPlace:n 2  Nl:n
NPlace:n 1  Jl Nl:n
Event    1  D:n Ne:n
Adjunct  3  PP
Adjunct  1  Time Event
Adjunct  1  Here
Adjunct  2  How
Adjunct  1  Once

Obj  2  Nbase:n
Obj  2  Nfull:n
Obj  1  Acc

VP:f   8   VP1:f
VP:f   1.5 VP1:f Conj VP1:f
VP1:f  16  (Often) VP0:f
VP1:f  1   Vh:f NT:n
VP1:f  4   Be:f (Often) BeRest
VP1:f  2   Be:f Neg BeRest
VP1:1s .5  Am:1s (Not) BeRest
VP1:f  3   Have:f (Often) HaveRest
VP1:f  1   Have:f Neg HaveRest
VP1:f  2   Md:f (Not) MdRest
VP1:f  .5  Md+n't:f Not' MdRest
VP1:f  2   Do:f Neg VPs:inf
VPclitic:f  3  Be':f (Not) BeRest
VPclitic:f  2  Have':f (Not) HaveRest
VPclitic:f  2  Md':f (Not) MdRest
Neg  1  Not
Neg  1  Not'

BeRest    4  Pred
BeRest    4  VPs:ing
BeRest    2  Passive
BeRest    .5 being/VBG Passive
HaveRest  5  VPs:en
HaveRest  1  Vh:en NT:n
HaveRest  1  been/VBN Pred
HaveRest  1  been/VBN VPs:ing
HaveRest  1  been/VBN Passive
MdRest    5  VPs:inf
MdRest    1  Vh:inf NT:n
MdRest    1  be/VB Pred
MdRest    1  be/VB Passive
Passive   1  (How) Vt:pass by/IN Nbase:n
Passive   1  (How) Vt:pass (Adjunct)
Pred      3  (Very) Ja
Pred      2  Jal
Pred      2  Jp
Pred      2  PP
Pred      1  Than
Pred      1  as/RB Ja as/IN Nbase:n
Pred      1  the/DT Jaest
Than      2  Jaer than/IN Nbase:n
Than      1  more/RBR Jal than/IN Nbase:n

VPs:f  8   VP0:f
VPs:f  1   Action:f Conj Action:f
VP0:f  16  Action:f
VP0:f  2   Vc:f (that/IN) Clause
VP0:f  1.5 Vw:f to/TO VPs:inf
Action:f  4   Vi:f (Adjunct)
Action:f  1   Vr:f Fast
Action:f  .5  Vr:f Faster than/IN Nbase:n
Action:f  6   Vt:f Obj (Adjunct)
Action:f  3   Vu:f NT:n (Adjunct)
Action:f  2   Vm:f Path Place
Action:f  1   Vm:f Up D:n Nh:n
Action:f  1   Vp:f Rp NT:n

VPgap:f   5  (Often) Vt:f (Adjunct)
VPgap:f   1  Have:f (Neg) Vt:en
VPgap:f   1  Be:f (Neg) Vt:ing
VPgap:f   1  Md:f (Not) Vt:inf
VPgap:f   1  Do:f Neg Vt:inf
VPgapT:f  5  (Often) Vu:f
VPgapT:f  1  Have:f (Neg) Vu:en
VPgapT:f  1  Be:f (Neg) Vu:ing

VPT:f     3  Vd:f (Adjunct)
VPT:f     6  Be:f (Neg) BeRestT
VPT:f     1  Have:f (Neg) Vd:en
VPT:f     1  Have:f (Neg) been/VBN PassiveT
VPT:f     1  Md:f (Not) be/VB BeRestT
BeRestT   3  (Very) Jt
BeRestT   2  Jtl
BeRestT   1  Jter than/IN NT:n
BeRestT   2  In Place
BeRestT   2  PassiveT
PassiveT  1  (How) Vu:pass by/IN Nbase:n
PassiveT  1  (How) Vu:pass (Adjunct)
"""


def grammars() -> list[Grammar]:
    """Make a grammar for each tense. A sentence has one tense, so that a verb can show the tense of
    another one."""
    return [Grammar(RULES, lexicon(tense), VALUES) for tense in ("Pres", "Past")]


def sample_sentences(grammars_of_tenses: Sequence[Grammar], seed: int) -> Iterator[list[Token]]:
    """Sample sentences from the grammars without end."""
    rng = Random(seed)
    while True:
        tokens = rng.choices(grammars_of_tenses)[0].sample(rng).tokens
        if len(tokens) <= MAX_WORDS:
            set_articles(tokens)
            yield tokens


def sentences(seed: int) -> Iterator[list[Token]]:
    """Sample different sentences whose tags are determined by their words, without end."""
    tenses = grammars()
    seen = set()
    for tokens in sample_sentences(tenses, seed):
        sentence = text(tokens)
        taggings = set().union(*(grammar.taggings(forms(tokens)) for grammar in tenses))
        if sentence not in seen and len(taggings) == 1:
            seen.add(sentence)
            yield tokens


def write_corpus(directory: Path, seed: int, sizes: dict[str, int]) -> None:
    """Write the first sentences to `NAME.conllu`, `sizes` for each name."""
    directory.mkdir(parents=True, exist_ok=True)
    stream = sentences(seed)
    for name, size in sizes.items():
        blocks = [to_conllu(next(stream), f"{name}-{i}") for i in range(1, size + 1)]
        path = directory / f"{name}.conllu"
        path.write_text("".join(blocks), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    generation.run("agreement", write_corpus, arguments)


if __name__ == "__main__":
    main()
