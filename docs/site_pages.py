"""Pages of the site that are no files of this folder: those at the top of the checkout, and the reference.

MkDocs calls the functions. Nothing here lists modules: every module of the installed packages has a page.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PACKAGES = ("egobench", "reference_exo2ego")
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Files at the top of the checkout, and the pages they become."""

COPIES = ("CITATION.cff", "LICENSE")
"""Files that pages link to as they are."""


def modules(package: str) -> list[str]:
    """Dotted names of a package's public modules, itself first, in the order of their names."""
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"no package {package}; install EgoBench before its documentation is built")
    (folder,) = map(Path, spec.submodule_search_locations)
    paths = sorted(path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py"))
    names = sorted(".".join([package, *path.parts]).removesuffix(".__init__") for path in paths)
    return [name for name in names if not any(part.startswith("_") for part in name.split("."))]


def page_of(module: str, packages: set[str]) -> str:
    """Path of a module's page: a folder for a package, as for the code; ``index`` is the page of the package itself."""
    path = f"reference/{module.replace('.', '/')}"
    if module.endswith(".index"):
        return f"{path}_module.md"
    return f"{path}/index.md" if module in packages else f"{path}.md"


def tree(names: list[str], packages: set[str], parent: str) -> list[Any]:
    """Navigation of the modules below a package, nested as the packages are."""
    entries: list[Any] = [page_of(parent, packages)]
    for name in names:
        if name.rpartition(".")[0] == parent:
            leaf = name.rpartition(".")[2]
            entries.append({leaf: tree(names, packages, name) if name in packages else page_of(name, packages)})
    return entries


def with_parents(names: list[str]) -> set[str]:
    """Those of the names that have others below them."""
    return {name.rpartition(".")[0] for name in names if "." in name} & set(names)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference to the navigation, before the pages about the project."""
    sections = [{package: tree(names := modules(package), with_parents(names), package)} for package in PACKAGES]
    nav = config.nav or []
    config.nav = [*nav[:-1], {"Reference": sections}, *nav[-1:]]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of files at the top of the checkout, and those of the reference."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=relinked((ROOT / source).read_text(encoding="utf-8"), ROOT)))
    for name in COPIES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for package in PACKAGES:
        names = modules(package)
        packages = with_parents(names)
        for name in names:
            files.append(File.generated(config, page_of(name, packages), content=f"# `{name}`\n\n::: {name}\n"))
    return files


def relinked(text: str, folder: Path) -> str:
    """The text of a file of the checkout, with its links to other files there led to their pages.

    Args:
        text: Markdown.
        folder: The file's folder, from which its links start.
    """

    def site_link(match: re.Match[str]) -> str:
        path, hash_, heading = match[1].partition("#")
        target = (folder / path).resolve()
        return f"]({page_for(target) or path}{hash_}{heading})" if target.is_relative_to(ROOT) else match[0]

    return re.sub(r"\]\(([\w./-][^):\s]*)\)", site_link, text)


def page_for(path: Path) -> str | None:
    """The page of a file or folder of the checkout; ``None`` where it has none, or lies in this folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if path.parent == ROOT and path.name in PAGES:
        return PAGES[path.name]
    if path.is_relative_to(DOCS):
        return str(path.relative_to(DOCS))
    code = parts if parts[0] in PACKAGES else (PACKAGES[0], *parts)
    names = modules(code[0])
    module = ".".join(code)
    return page_of(module, with_parents(names)) if module in names else None


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead the links of a guide to files outside this folder to their pages."""
    source = page.file.abs_src_path
    return relinked(markdown, DOCS) if source and Path(source).parent == DOCS else markdown


def on_page_content(html: str, **_: Any) -> str:
    """Show the names that docstrings refer to by a role, ``:func:`` and its like, without the role."""
    return re.sub(r":(?:attr|class|data|exc|func|meth|mod):(?=<code>)", "", html)


def on_post_build(config: MkDocsConfig) -> None:
    """End the build where a page shows a picture that is not in the site; MkDocs itself lets that pass.

    Raises:
        PluginError: If there is such a page.
    """
    site = Path(config.site_dir)
    for page in sorted(site.rglob("*.html")):
        for source in re.findall(r'<img[^>]* src="([^":]+)"', page.read_text(encoding="utf-8")):
            folder = site if source.startswith("/") else page.parent
            if not (folder / source.lstrip("/")).is_file():
                raise PluginError(f"{page.relative_to(site)}: no picture {source} in the site; see exclude_docs")
