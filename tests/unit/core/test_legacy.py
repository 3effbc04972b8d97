"""The reference systems' 20-field record."""

import numpy as np
import pytest

from gustbed_core import legacy
from gustbed_core.errors import PayloadError
from gustbed_core.turbine_types import load_type


@pytest.mark.promise("P3")
def test_a_record_of_the_reference_firmware_is_read() -> None:
    motion = "1000,512,1.50,2.25,44,1.00,0.01,-0.01,0.50,0.00,0.01,1.00,12,-7,8192"
    record = f"{motion},31.2,21.5,40.1,1013.2,0.9"
    millis, sample = legacy.parse_record(record)
    assert millis == 1000
    named = dict(zip(legacy.CHANNELS, sample, strict=True))
    assert named["rps"] == 1.5
    assert named["wind_speed_rps"] == 2.25
    assert named["voltage"] == 44
    assert named["az"] == 8192
    assert named["gas"] == 0.9


def test_a_sample_survives_the_record_to_its_two_decimals() -> None:
    sample = np.round(np.random.default_rng(2).uniform(0, 9, len(legacy.CHANNELS)), 2)
    for name in ("voltage", "ax", "ay", "az"):
        sample[legacy.CHANNELS.index(name)] = round(sample[legacy.CHANNELS.index(name)])
    text = legacy.format_record(50, 1024, legacy.sample_as_mapping(sample))
    assert len(text.split(",")) == 20
    millis, back = legacy.parse_record(text)
    assert millis == 50
    assert back == pytest.approx(sample)


@pytest.mark.promise("T5")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,2,3", "wrong_fields"),
        (",".join(["x"] * 20), "malformed"),
        (",".join(["nan"] * 20), "non_finite"),
        (",".join(["inf"] * 20), "non_finite"),
        ("", "wrong_fields"),
    ],
)
def test_a_bad_record_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        legacy.parse_record(text)
    assert caught.value.reason == reason


def test_the_record_has_the_channels_of_the_miniature_in_its_order() -> None:
    assert load_type("mini").channel_names == legacy.CHANNELS
