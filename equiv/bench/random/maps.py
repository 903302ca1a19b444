"""Statements that look into maps and change what is there."""

from __future__ import annotations

from equiv.bench.random.places import near, place
from equiv.bench.random.writer import Writer


def looked_up(w: Writer) -> list[str]:
    """An entry of the array is read and written."""
    found, key, name = w.name("found"), w.name("key"), w.random.choice(list(w.variables))
    member, other = w.random.sample(("a", "b", "c", "d", "e"), 2)
    uses = [
        f"{name} {w.random.choice(('=', '+=', '^='))} {found}->{place(member, other)};",
        f"{found}->{place(member, other)} = {w.expression(1)};",
        f"{found}->{member} += {w.expression(1)};",
    ]
    chosen = "\n\t\t".join(w.random.sample(uses, w.random.randint(1, 3)))
    return [
        f"__u32 {key} = {w.expression(1)} & {place(3, 1, 7)};",
        f"struct value *{found} = bpf_map_lookup_elem(&table, &{key});",
        f"if ({found}) {{ {chosen} }}",
    ]


def looked_up_twice(w: Writer, depth: int) -> list[str]:
    """Two pointers into one map, which may be the same, with a write between two reads."""
    one, two = w.name("one"), w.name("two")
    name, other = (w.random.choice(list(w.variables)) for _ in range(2))
    first, second = w.random.sample(("a", "b", "c", "d", "e"), 2)
    return [
        f"__u32 k{one} = {w.expression(1)} & 3, k{two} = {w.expression(1)} & {place(3, 1)};",
        f"struct value *{one} = bpf_map_lookup_elem(&table, &k{one});",
        f"struct value *{two} = bpf_map_lookup_elem(&table, &k{two});",
        f"if ({one} && {two}) {{",
        f"\t{one}->{place(first, second)} = {w.expression(1)};",
        f"\t{name} += {place(two, one)}->{first};",
        f"\t{two}->{second} = {other};",
        f"\t{other} ^= {place(one, two)}->{second};",
        "}",
    ]


def hashed(w: Writer) -> list[str]:
    """A hash is looked into, or an entry of it put in or out; the packet says which."""
    key, found, name = w.name("key"), w.name("found"), w.random.choice(list(w.variables))
    lines = [
        f"struct key {key} = {{ .a = {w.expression(1)}, .b = {w.expression(1)}, .c = {near(1)} }};",
    ]
    value = f"v{key}"
    match w.random.randrange(4):
        case 0:
            lines += [f"{name} += bpf_map_delete_elem(&flows, &{key});"]
        case 1:
            flag = place(*w.random.sample(("BPF_ANY", "BPF_EXIST", "BPF_NOEXIST"), 2))
            lines += [f"struct value {value} = {{ .a = {w.expression(1)}, .c = {w.expression(0)} }};"]
            lines += [f"{name} ^= bpf_map_update_elem(&flows, &{key}, &{value}, {flag});"]
        case _:
            lines += [f"struct value *{found} = bpf_map_lookup_elem(&flows, &{key});"]
            then = f"{{ {found}->a += {w.expression(1)}; {name} = {found}->{place('c', 'b')}; }}"
            lines += [f"if ({found}) {then} else {name} = {w.expression(1)};"]
    return lines


def atomic(w: Writer) -> list[str]:
    """An entry of the array is changed in one step."""
    found, name = w.name("found"), w.random.choice(list(w.variables))
    member = w.random.choice("ab")
    function = w.random.choice(("add", "or", "and", "xor", "add"))
    operation = f"__sync_fetch_and_{place(function, 'xor' if function != 'xor' else 'add')}"
    use = f"{operation}(&{found}->{member}, {w.expression(1)});"
    if w.random.random() < 0.5:
        use = f"{name} {w.random.choice(('=', '^='))} {use}"
    elif w.random.random() < 0.3:
        use = f"{name} = __sync_val_compare_and_swap(&{found}->{member}, {w.expression(1)}, {w.expression(1)});"
    return [
        f"__u32 k{found} = {place(w.random.randrange(4), w.random.randrange(4))};",
        f"struct value *{found} = bpf_map_lookup_elem(&table, &k{found});",
        f"if ({found}) {{ {use} }}",
    ]
