"""Templates: filled in one pass; and stored pages that take today's styles and scripts."""

import json

import pytest

from diffusion_lab import figures, player, touch
from diffusion_lab.templates import as_json, fill, marked, renew


def test_a_value_that_names_a_place_stays_text():
    assert fill("<p>{{a}} {{b}} {{a}}</p>", a="{{b}}\\1", b="{{c}}") == "<p>{{b}}\\1 {{c}} {{b}}\\1</p>"


@pytest.mark.parametrize("values", [{"a": 1}, {"a": 1, "b": 2, "c": 3}, {}])
def test_a_template_and_its_values_have_the_same_names(values):
    with pytest.raises(ValueError, match=r"\['a', 'b'\] were expected"):
        fill("{{a}}{{b}}", **values)


def test_json_cannot_end_its_element():
    said = {"a": "</script><!-- <script>", "b": [1, "ä"]}
    assert json.loads(as_json(said)) == said
    assert as_json(said) == '{"a":"\\u003c/script>\\u003c!-- \\u003cscript>","b":[1,"ä"]}'
    with pytest.raises(ValueError, match="JSON"):
        as_json({"a": float("nan")})


def test_a_stored_page_takes_todays_script_and_keeps_its_data():
    old, new = (marked("script", "a.js", text, 1) for text in ("let old = '\\1';", "let fresh = '\\1';"))
    other = marked("style", "b.css", "b {}", 2)
    page = "<p>before</p>{}<script type='application/json'>[1]</script>{}<p>after</p>"
    assert renew(page.format(old, other), [new, other]) == (page.format(new, other), [])
    assert renew(page.format(old, other), [new]) == (page.format(new, other), ["b.css, edition 2"])
    assert renew(page.format(old, ""), [marked("script", "a.js", "", 2)]) == (page.format(old, ""), ["a.js, edition 1"])
    assert 'data-print="cf2f3b658959"' in marked("style", "b.css", "b {}", 2)
    assert old != new and old.split(">")[0] != new.split(">")[0]  # the print in the mark tells them apart


@pytest.mark.parametrize("made", [player.parts(), figures.parts(), touch.parts()])
def test_every_part_of_ours_can_be_found_again(made):
    for part in made:
        page, (old,) = renew(f"a{part}b", [])
        assert page == f"a{part}b" and f'data-lab="{old.split(",")[0]}"' in part
        assert renew(f"a{part}b", made) == (f"a{part}b", [])
        tag = part[1:].split(" ")[0]
        assert part.count(f"</{tag}") == 1 and part.endswith(f"</{tag}>")
