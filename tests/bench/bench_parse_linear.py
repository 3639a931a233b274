"""Seconds per MB of `parse_article` on hostile records of doubling size; exits 1 when one grows with size.

python -m tests.bench.bench_parse_linear
"""

import sys
import time
from collections.abc import Callable

from stream.article import parse_article

SIZES = (62_500, 125_000, 250_000, 500_000, 1_000_000)


def _repeated(head: str, unit: str, tail: str = "") -> Callable[[int], bytes]:
    """A record of about the size asked for, in bytes: head, as many units as fit, tail."""
    return lambda size: (head + unit * ((size - len(head) - len(tail)) // len(unit.encode())) + tail).encode()


def _html(unit: str, words: str = "End.") -> Callable[[int], bytes]:
    return _repeated('{"uri":"urn:a","body_xhtml":"<p>Start.</p>', unit, words + '"}')


def _numbered(unit: str) -> Callable[[int], bytes]:
    return lambda size: _html("".join(map(unit.format, range((size - 100) // len(unit.format(0))))))(size)


NASTY: dict[str, Callable[[int], bytes]] = {
    "plain text": _repeated('{"id":"a","text":"', "The river rose. ", '"}'),
    "json arrays": _repeated('{"id":"a","text":"b","x":', "["),
    "json objects": _repeated('{"id":"a","text":"b","x":', '{"a":'),
    "json escapes": _repeated('{"id":"a","text":"', r"\u00e9", '"}'),
    "json lone surrogate last": _repeated('{"id":"a","text":"', r"\\u", r'\ud800"}'),
    "json backslashes cut": _repeated('{"id":"a","text":"', r"\\"),
    "json digits": _repeated('{"id":"a","text":"b","version":', "9", "}"),
    "json repeated keys": _repeated('{"id":"a"', ',"text":"b"', "}"),
    "json uri repeated": _repeated('{"id":"a"', ',"uri":"b"', "}"),
    "json spaces": _repeated("", " ", '{"id":"a","text":"b"}'),
    "json long id": _repeated('{"text":"b","id":"', "a", '"}'),
    "json long url": _repeated('{"id":"a","text":"b","url":"http://', "a", '"}'),
    "json long status": _repeated('{"id":"a","text":"b","status":"', "` - at `$.", '"}'),
    "json bodies": _repeated('{"uri":"urn:a","bodies":[{"value":"b"}', ',{"value":" "}', "]}"),
    "json sources": _repeated('{"uri":"urn:a","body_text":"b","infosource":[{}', ',{"name":"a"}', "]}"),
    "html divs": _html("<div>"),
    "html formatting": _html("<b><p>"),
    "html formatting, all different": _numbered("<b id={:06}><p>"),
    "html lists": _html("<ul><li>"),
    "html tables": _html("<table><tr><td>"),
    "html stray ends": _html("<b></p>"),
    "html angles": _html("<"),
    "html open tags": _html("<a "),
    "html quotes": _html("<a b='"),
    "html both quotes": _html("""<a b='c=\\"d """),
    "html equals": _html("<a ="),
    "html equals and space": _html("=  ", "<a "),
    "html comments": _html("<!--"),
    "html comment ends": _html("<!-- -- >"),
    "html scripts": _html("<script>"),
    "html script ends": _html("<script></scrip"),
    "html captions": _html("<figcaption>"),
    "html mixed mutes": _html("<svg><style><script></svg>"),
    "html declarations": _html("<!a"),
    "html entities": _html("&amp;"),
    "html ampersands": _html("&"),
    "html long entities": _html("&" + "a" * 31),
    "html digits": _html("9", ";"),
    "html long references": _html("&#" + "1" * 5_000),
    "html breaks": _html("<br>"),
    "html paragraphs": _html("<p>a"),
    "html spaces": _html(" "),
    "wire words": _repeated("Portville, ", "River "),
    "wire capitals": _repeated("", "PORTVILLE, "),
    "wire brackets": _repeated("", "[("),
    "wire parentheses": _repeated("A ", "(AP) "),
    "wire dashes": _repeated("", "-"),
    "wire long dashes": _repeated("AB ", "— "),
    "wire sign-offs": _repeated("Text.", " (ANI)"),
    "wire closing": _repeated("Text.", " ", "(ANI)"),
    "wire dates": _repeated("", "date 2024-05-01 "),
    "wire date spaces": _repeated("date 2024-05-01", " ", "b"),
    "wire lines": _repeated("Text", "\r\n", "b"),
    "wire months": _repeated("A", ", May 1", " (AP) - Text"),
}


def seconds(value: bytes) -> float:
    """The best of five, so that a busy machine is not taken for a slow parser."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        parse_article(value, max_bytes=2 * SIZES[-1])
        best = min(best, time.perf_counter() - start)
    return best


def main() -> int:
    """Growth is a byte's cost in the largest record over that in the smallest: 1 is linear, 16 quadratic."""
    failed = False
    print(f"{'seconds per MB at':32}" + "".join(f"{size:>10,}" for size in SIZES) + "    growth")
    for name, make in NASTY.items():
        rates = [seconds(make(size)) / size * 1e6 for size in SIZES]
        growth = rates[-1] / rates[0]
        bad = growth > 4 and rates[-1] > 0.01  # caches cost up to twice; below 10 ms a MB nobody waits
        failed |= bad
        outcome = getattr(parse_article(make(SIZES[0])), "reason", "article")
        print(f"{name:32}" + "".join(f"{rate:10.4f}" for rate in rates) + f"{growth:10.1f}  {outcome}" + " BAD" * bad)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
