from pathlib import Path

from ptpstack.clocks.open import describe_clocks


def make(root: Path, index: int, name: str, **attributes: int) -> None:
    folder = root / "class/ptp" / f"ptp{index}"
    folder.mkdir(parents=True)
    (folder / "clock_name").write_text(name + "\n")
    for attribute, value in attributes.items():
        (folder / attribute).write_text(f"{value}\n")


def test_inventory(tmp_path: Path) -> None:
    make(
        tmp_path, 10, "igb", max_adjustment=62_499_999, n_external_timestamps=2, n_programmable_pins=4, pps_available=1
    )
    make(tmp_path, 2, "KVM virtual PTP", max_adjustment=0)
    make(tmp_path, 3, "mlx5_ptp", max_adjustment=50_000_000, n_vclocks=2)
    for index in (11, 7):
        (tmp_path / f"class/ptp/ptp3/ptp{index}").mkdir()
    make(tmp_path, 4, "broken", max_adjustment=0)
    (tmp_path / "class/ptp/ptp4/max_adjustment").write_text("?")
    (tmp_path / "class/ptp/ptp5").mkdir()
    for interface in ("eth1", "eth0"):
        (tmp_path / f"class/net/{interface}/device/ptp/ptp10").mkdir(parents=True)
    kvm, mlx, igb = describe_clocks(str(tmp_path))
    assert (igb.index, igb.path, igb.name, igb.interfaces) == (10, "/dev/ptp10", "igb", ("eth0", "eth1"))
    assert (igb.external_timestamps, igb.pins, igb.pps, igb.warning) == (2, 4, True, "")
    assert "UTC" in kvm.warning
    assert "virtual clocks" in mlx.warning
    assert (mlx.virtual_clocks, mlx.physical) == ((7, 11), None)


def test_no_clocks(tmp_path: Path) -> None:
    assert describe_clocks(str(tmp_path)) == []
