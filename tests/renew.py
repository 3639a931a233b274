"""Renews the generated parts of the README: python -m tests.renew."""

from tests.test_docs import ROOT, model_markdown, section, settings_markdown


def main() -> None:
    """Writes README.md anew where a generated part has changed."""
    readme = ROOT / "README.md"
    for name, text in (("settings", settings_markdown()), ("model", model_markdown())):
        mark = f"<!-- {name}:begin -->"
        head, _, tail = readme.read_text().partition(mark)
        end = f"<!-- {name}:end -->"
        readme.write_text(f"{head}{mark}\n{text}\n{end}{tail.partition(end)[2]}")
        section(name)


if __name__ == "__main__":
    main()
