"""Generated sentences as text and as CoNLL-U."""

from collections.abc import Sequence

from pcfg import Token

ATTACHED = {".", "?", "!", ",", "n't", "'s", "'m", "'re", "'ve", "'d", "'ll"}


def set_articles(tokens: Sequence[Token]) -> None:
    """Choose between "a" and "an" by the next word."""
    for token, following in zip(tokens, tokens[1:], strict=False):
        if token.word.lemma == "a":
            form = "an" if following.word.form[0] in "aeiou" else "a"
            token.word = token.word._replace(form=form)


def forms(tokens: Sequence[Token]) -> list[str]:
    """The forms of a sentence, the first one capitalized."""
    first, *rest = [token.word.form for token in tokens]
    return [first[0].upper() + first[1:], *rest]


def spaces_after(tokens: Sequence[Token]) -> list[bool]:
    """For each token, True if a space follows: none before punctuation and clitics."""
    return [token.word.form not in ATTACHED for token in tokens[1:]] + [True]


def text(tokens: Sequence[Token]) -> str:
    """The text of a sentence, with its spaces."""
    pieces = zip(forms(tokens), spaces_after(tokens), strict=True)
    return "".join(form + " " * space for form, space in pieces).rstrip()


def to_conllu(tokens: Sequence[Token], sent_id: str) -> str:
    """A sentence in CoNLL-U, with the empty line that ends it."""
    lines = [f"# sent_id = {sent_id}", f"# text = {text(tokens)}"]
    number = {token: str(i) for i, token in enumerate(tokens, start=1)}
    for token, form, space in zip(tokens, forms(tokens), spaces_after(tokens), strict=True):
        misc = [] if space else ["SpaceAfter=No"]
        if token.subject:
            misc.append(f"Subj={number[token.subject]}")
        _, *tags = token.word
        columns = [number[token], form, *tags, "_", "_", "_", "|".join(misc) or "_"]
        lines.append("\t".join(columns))
    return "\n".join(lines) + "\n\n"
