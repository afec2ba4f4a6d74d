from __future__ import annotations

import stat

import pytest

from agent import paths
from agent.errors import ParleyError


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_each_directory_follows_its_variable(tmp_path):
    environment = {
        "XDG_CONFIG_HOME": str(tmp_path / "c"),
        "XDG_DATA_HOME": str(tmp_path / "d"),
        "XDG_STATE_HOME": str(tmp_path / "s"),
        "XDG_RUNTIME_DIR": str(tmp_path / "r"),
    }
    assert paths.config_dir(environment) == tmp_path / "c" / "parley"
    assert paths.models_dir(environment) == tmp_path / "d" / "parley" / "models"
    assert paths.state_dir(environment) == tmp_path / "s" / "parley"
    assert paths.runtime_dir(environment) == tmp_path / "r" / "parley"


def test_without_variables_they_lie_in_the_home_directory(tmp_path):
    environment = {"HOME": str(tmp_path)}
    assert paths.config_dir(environment) == tmp_path / ".config" / "parley"
    assert paths.models_dir(environment) == tmp_path / ".local/share/parley/models"
    assert paths.state_dir(environment) == tmp_path / ".local/state/parley"


def test_a_relative_variable_counts_as_unset(tmp_path):
    assert paths.config_dir({"HOME": str(tmp_path), "XDG_CONFIG_HOME": "here"}) == tmp_path / ".config" / "parley"


def test_state_and_sockets_are_for_the_user_alone(tmp_path):
    environment = {"HOME": str(tmp_path)}
    assert mode(paths.state_dir(environment)) == 0o700
    assert mode(paths.runtime_dir(environment)) == 0o700


def test_without_a_runtime_directory_sockets_lie_in_the_state_directory(tmp_path):
    environment = {"HOME": str(tmp_path)}
    assert paths.runtime_dir(environment).parent == paths.state_dir(environment)


def test_a_directory_that_others_could_enter_is_closed(tmp_path):
    (tmp_path / "parley").mkdir(mode=0o755)
    assert mode(paths.runtime_dir({"HOME": "/", "XDG_RUNTIME_DIR": str(tmp_path)})) == 0o700


def test_a_link_in_place_of_the_runtime_directory_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "parley").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ParleyError, match="must be a directory of your own"):
        paths.runtime_dir({"HOME": "/", "XDG_RUNTIME_DIR": str(tmp_path)})


def test_a_file_in_place_of_the_directory_is_one_sentence(tmp_path):
    (tmp_path / "parley").write_text("")
    with pytest.raises(ParleyError, match="cannot use the directory"):
        paths.runtime_dir({"HOME": "/", "XDG_RUNTIME_DIR": str(tmp_path)})
