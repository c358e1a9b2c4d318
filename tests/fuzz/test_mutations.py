"""Random damage to saved components; `benchmarks/fuzz.py` makes more mutations."""

from .mutations import make_subjects, mutate

#: the number of mutations and their seed
N, SEED = 400, 1


def test_damage_is_noticed_or_without_effect(tmp_path):
    found = list(mutate(make_subjects(tmp_path), N, SEED))
    assert [each for each in found if each[1] not in ("noticed", "right")] == []
    assert len(found) == N
