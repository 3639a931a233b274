"""Renews the generated parts of the docs: python -m tests.renew."""

from tests.test_docs import GENERATED, section


def main() -> None:
    """Writes each file anew where a generated part of it has changed."""
    for name, (file, text) in GENERATED.items():
        mark, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        head, _, tail = file.read_text().partition(mark)
        file.write_text(f"{head}{mark}\n{text()}\n{end}{tail.partition(end)[2]}")
        section(name)


if __name__ == "__main__":
    main()
