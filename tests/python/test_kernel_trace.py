import kernel_trace


def decision(command, step, anchor, blueprint="b", alternatives=()):
    return {"event": "decision", "command": command, "step": step, "anchor": anchor,
            "blueprint": blueprint, "alternatives": [
                {"anchor": a, "blueprint": b} for a, b in alternatives]}


def test_each_step_runs_the_kernels_of_the_seeds_in_the_network():
    events = [decision("germinate", 2, "x"), decision("graft", 3, "x"),
              decision("germinate", 4, "y", "c"), decision("cull", 5, "x")]
    # The germinations read their kernels; steps 2 to 4 run the first, 4 to 6 the second.
    assert list(kernel_trace.accesses(events, 7)) == [
        "b@x", "b@x", "b@x", "c@y", "b@x", "c@y", "c@y", "c@y"]


def test_a_germination_has_looked_at_its_alternatives():
    events = [decision("germinate", 0, "x", alternatives=[("x", "c"), ("y", "b")])]
    assert list(kernel_trace.accesses(events, 1)) == ["c@x", "b@y", "b@x", "b@x"]


def test_a_faulty_seed_is_gone_and_other_events_are_none():
    events = [decision("germinate", 0, "x"), {"event": "gate", "step": 1},
              {"event": "fault", "step": 1, "anchor": "x"}]
    assert list(kernel_trace.accesses(events, 3)) == ["b@x", "b@x"]
