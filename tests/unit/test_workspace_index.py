"""What of a person's pip settings reaches the sandbox."""

from services.workspace.sources.index import local_paths, settings_from, without_credentials


def test_credentials_are_taken_out_of_every_url():
    text = "https://me:secret@one.invalid/simple\nhttps://token@two.invalid/simple https://three.invalid/a@b"
    assert without_credentials(text) == (
        "https://one.invalid/simple\nhttps://two.invalid/simple https://three.invalid/a@b"
    )


def test_the_environment_wins_and_settings_of_other_kinds_stay_out():
    listing = (
        "global.index-url='https://u:p@one.invalid/simple'\nglobal.target='/somewhere'\n"
        "install.extra-index-url='https://a.invalid\\nhttps://b.invalid'\n:env:.index-url='https://two.invalid'\n"
    )
    config = settings_from(listing, {}).config
    assert "index-url = https://two.invalid" in config
    assert "extra-index-url = https://a.invalid\n    https://b.invalid" in config
    assert "target" not in config
    assert "one.invalid" not in config


def test_proxies_pass_without_their_password_and_nothing_else_passes():
    environ = {"HTTPS_PROXY": "http://me:pw@proxy.invalid:3128", "TOKEN": "secret"}
    assert settings_from("", environ).env == {"HTTPS_PROXY": "http://proxy.invalid:3128"}


def test_local_indexes_are_shown_with_the_files_they_link_to(tmp_path):
    index = tmp_path / "mirror" / "simple"
    index.mkdir(parents=True)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    found = local_paths([f"file://{index} https://x.invalid", f"{wheels} relative /does/not/exist"])
    assert found == (index.parent, wheels)
