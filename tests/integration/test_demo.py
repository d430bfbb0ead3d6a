"""``telegraph demo`` as a newcomer meets it: everything runs, the bot answers, the next demo goes on."""

from pathlib import Path

from telegraph.testing.processes import RunningProcess, eventually, telegraph


def demo(data: Path) -> RunningProcess:
    return RunningProcess("demo", "--data", data, ready="Demo ready")


def texts(data: Path, other: str) -> list[str]:
    return [message["text"] for message in telegraph("history", other, "--data", data, "--format", "json").json]


def test_a_lone_newcomer_sees_a_conversation_and_the_next_demo_goes_on_with_it(tmp_path: Path) -> None:
    alice, bob = tmp_path / "alice", tmp_path / "bob"
    with demo(tmp_path) as running:
        assert telegraph("send", "echo", "hello", "--data", alice).code == 0
        eventually(lambda: texts(alice, "echo")[-1] == "You said: hello")
        assert telegraph("send", "bob", "hello bob", "--data", alice).code == 0
        eventually(lambda: texts(bob, "alice") == ["hello bob"])
        assert running.stop() == 0
        assert "Traceback" not in running.log

    with demo(tmp_path):
        assert telegraph("send", "alice", "hello again", "--data", bob).code == 0
        eventually(lambda: texts(alice, "bob") == ["hello bob", "hello again"])
        assert "You said: hello" in texts(alice, "echo")


def test_what_the_demo_prints_can_be_typed(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        eventually(lambda: "Ctrl-C" in running.log)
        line = next(line for line in running.output if "chat bob" in line)

        _, program, *words = line.split()

        assert Path(program).name.startswith(("telegraph", "__main__"))
        assert telegraph(*words, stdin="typed\n").code == 0
        eventually(lambda: texts(tmp_path / "bob", "alice") == ["typed"])
