"""Networks that do not fit: each mistake is one line that names file, key and what was expected."""

from pathlib import Path

import pytest
from small_network import DBC, TOML, write_small_network

from hil.errors import UsageError
from hil.network.database import load_network


def load_changed(folder: Path, *, toml: tuple[str, str] = ("", ""), dbc: tuple[str, str] = ("", "")) -> None:
    assert toml[0] in TOML
    assert dbc[0] in DBC
    path = write_small_network(folder)
    path.write_text(TOML.replace(*toml) if toml[0] else TOML)
    (folder / "small.dbc").write_text(DBC.replace(*dbc) if dbc[0] else DBC)
    load_network(str(path))


def test_the_unchanged_network_loads(tmp_path: Path) -> None:
    load_changed(tmp_path)


TOML_MISTAKES = {
    "a key that does not exist": (('title = "small"', 'title = "small"\ncolour = 1'), "colour"),
    "a value of the wrong type": (('dbc = ["small.dbc"]', "dbc = 5"), "bus.front.dbc"),
    "a value out of range": (('dbc = ["small.dbc"]', 'dbc = ["small.dbc"]\nbitrate = 5'), "bus.front.bitrate"),
    "text that is no TOML": (('title = "small"', "title = "), "not valid TOML"),
    "a DBC that is not there": (('"small.dbc"', '"large.dbc"'), "large.dbc does not exist"),
    "a signal that the DBC lacks": (("Speed =", "Velocity ="), "no signal Velocity in Status; it has"),
    "a message that the DBC lacks": (
        ("Status = { Speed", "Stature = { Speed"),
        "Stature: no role on this bus sends such a message",
    ),
    "a signal that the controller lacks": (('"front.motor_speed"', '"front.motor_sped"'), 'did you mean "front.motor_speed"'),
    "a link that does not exist": (('Torque = "front.link"', 'Torque = "front.lnk"'), "links.Torque"),
    "a CRC signal that is missing": (('crc = { signal = "Crc"', 'crc = { signal = "Crk"'), "has no signal Crk"),
    "a CRC that is no byte": (('crc = { signal = "Crc"', 'crc = { signal = "Request"'), "one whole byte"),
    "a counter too narrow": (('"Count", modulo = 4 }\nsequences', '"Count", modulo = 16 }\nsequences'), "too narrow"),
    "two checks on one message": (
        ('counter = { signal = "Count", modulo = 4 }\nsequences', 'byte_sum = { signal = "Question" }\nsequences'),
        "one was expected",
    ),
    "protection of an unknown message": (("[message.Torque]", "[message.Tork]"), "message.Tork: no DBC file has this message"),
    "a question on an unknown bus": (('[[question]]\nbus = "front"', '[[question]]\nbus = "back"'), 'no bus "back"'),
    "a question to an unknown signal": (('"Status.Answer"', '"Status.Reply"'), "no signal Status.Reply"),
}


@pytest.mark.parametrize("mistake", TOML_MISTAKES)
def test_a_mistake_in_the_toml_is_told_in_one_line(tmp_path: Path, mistake: str) -> None:
    change, expected = TOML_MISTAKES[mistake]
    with pytest.raises(UsageError) as caught:
        load_changed(tmp_path, toml=change)
    message = str(caught.value)
    assert "small.toml" in message or "small.dbc" in message
    assert expected in message
    assert "\n" not in message


DBC_MISTAKES = {
    "text that is no DBC": ((DBC, "this is not a DBC"), "is not a valid DBC file"),
    "binary noise": ((DBC, "\x00\x01\x02\x03"), "is not a valid DBC file"),
    "overlapping signals": (("18|11@0-", "34|11@0-"), "overlapping"),
    "a message without period": (('BA_ "GenMsgCycleTime" BO_ 474 10;\n', ""), "has no period"),
    "an unknown unit": (('"rpm" VCM', '"furlong" VCM'), 'unit "furlong" is not known'),
    "a unit of another quantity": (('"rpm" VCM', '"V" VCM'), "cannot become"),
    "a frame beyond classic CAN": (("BO_ 474 Status: 8 INV", "BO_ 474 Status: 16 INV"), "16 bytes"),
}


@pytest.mark.parametrize("mistake", DBC_MISTAKES)
def test_a_mistake_in_the_dbc_is_told_in_one_line(tmp_path: Path, mistake: str) -> None:
    change, expected = DBC_MISTAKES[mistake]
    with pytest.raises(UsageError) as caught:
        load_changed(tmp_path, dbc=change)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_network_lists_those_there_are_and_guesses() -> None:
    with pytest.raises(UsageError, match=r'did you mean "leaf_ze1".*leaf_aze0, leaf_ze0, leaf_ze1'):
        load_network("leaf_ze11")


def test_a_network_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml: no such file"):
        load_network("nowhere.toml")


def test_a_base_gives_what_the_file_does_not_say(tmp_path: Path) -> None:
    write_small_network(tmp_path)
    (tmp_path / "faster.toml").write_text('base = "small.toml"\ntitle = "faster"\n[bus.front]\nbitrate = 1_000_000\n')
    network = load_network(str(tmp_path / "faster.toml"))
    assert (network.title, network.buses[0].bitrate, len(network.messages)) == ("faster", 1_000_000, 2)


def test_messages_of_one_name_in_two_files_get_codecs_of_their_own(tmp_path: Path) -> None:
    write_small_network(tmp_path)
    (tmp_path / "other.dbc").write_text(DBC.replace("(2.5,0)", "(1,0)").replace("[0|637.5]", "[0|255]"))
    other = '\n[bus.rear]\ndbc = ["other.dbc"]\nroles = { VCM = "controller" }\n'
    path = tmp_path / "two.toml"
    path.write_text(TOML.replace("[message.Torque]", other + "\n[message.Torque]"))
    network = load_network(str(path))
    factors = {message.codec: message.signal("Upper").factor for message in network.messages if message.name == "Torque"}
    assert factors == {"Torque": 2.5, "Torque_2": 1.0}
