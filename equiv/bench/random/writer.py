"""Who writes one program: its variables, what is known of the packet, and expressions over both."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

from equiv.bench.random.places import near, place

Kind = Literal["xdp", "tc", "socket"]
KINDS: Final[tuple[Kind, ...]] = ("xdp", "tc", "socket")

UNSIGNED: Final = ("__u8", "__u16", "__u32", "__u64")
SIGNED: Final = ("__s8", "__s16", "__s32", "__s64")
TYPES: Final = (*UNSIGNED, *SIGNED)
WIDE: Final = ("__u32", "__u64", "__s32", "__s64")
COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")
ODD: Final = (
    "%0 = -%0",
    "%0 = be16 %0",
    "%0 = be32 %0",
    "%0 = be64 %0",
    "%0 = le16 %0",
    "%0 = le32 %0",
    "%0 s>>= 7",
    "%0 s>>= 33",
    "%0 >>= 31",
    "%0 <<= 40",
    "%0 *= -3",
    "%0 /= 7",
    "%0 %%= 10",
    "%0 ^= -1",
    "%0 |= -256",
)
"""Instructions that compilers rarely write, on a 64-bit register."""

HEADS: Final[dict[Kind, tuple[str, str, tuple[str, ...]]]] = {
    "xdp": ("xdp", "struct xdp_md", ("XDP_PASS", "XDP_DROP", "XDP_TX", "XDP_ABORTED")),
    "tc": ("tc", "struct __sk_buff", ("TC_ACT_OK", "TC_ACT_SHOT", "TC_ACT_PIPE", "TC_ACT_STOLEN")),
    "socket": ("socket", "struct __sk_buff", ("0", "-1", "64", "20")),
}
"""Section, context and verdicts."""


@dataclass(slots=True)
class Writer:
    """One program, being drawn. `variables`: types by name; `at`: pointers into the packet, and how many bytes are
    known to lie behind each."""

    random: Random
    kind: Kind
    variables: dict[str, str] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    names: int = 0
    in_loop: bool = False
    """Whether what is written is the body of a loop or of a called function, which are kept short."""

    def name(self, stem: str) -> str:
        """A name that nothing else has."""
        self.names += 1
        return f"{stem}{self.names}"

    def leave(self) -> str:
        """The end of the run, with some verdict."""
        verdicts = HEADS[self.kind][2]
        one, mistaken = self.random.sample(verdicts, 2)
        return f"return {place(one, mistaken) if self.random.random() < 0.3 else one};"

    def variable(self) -> str:
        """One of the variables, or by mistake another."""
        names = list(self.variables)
        name = self.random.choice(names)
        others = [each for each in names if each != name]
        return place(name, *self.random.sample(others, min(1, len(others)))) if self.random.random() < 0.3 else name

    def constant(self) -> str:
        """A number that headers have, or one at which something changes its sign or its width."""
        random = self.random
        value = random.choice((0, 1, 2, 3, 7, 8, 15, 17, 64, 255, 256, 0x800, 0x8100, 0x86DD, 0x7FFF, 0x8000, 65535))
        if random.random() < 0.2:
            value = random.choice(
                (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0xFFFFFFFFFFFFFFFF, 0x8000000000000000)
            )
        return place(_literal(value), _literal(value ^ 1), _literal((value + 1) & (2**64 - 1)))

    def read(self) -> str:
        """Some bytes of the packet as a number; of the buffer where there is no pointer."""
        random = self.random
        if not self.at or random.random() < 0.15:
            array, count = random.choice((("b", 16), ("h", 8), ("w", 4), ("d", 2)))
            index = random.randrange(count)
            return f"buf.{array}[{place(index, (index + 1) % count)}]"
        pointer = random.choice(list(self.at))
        type_ = random.choice(TYPES)
        size = int(type_[3:]) // 8
        at = random.randint(0, max(0, self.at[pointer] - size))
        if size > self.at[pointer]:
            type_, size, at = "__u8", 1, 0
        others = [near for near in (at - 1, at + 1) if 0 <= near <= self.at[pointer] - size]
        opposite = type_.replace("s", "u") if "s" in type_ else type_.replace("u", "s")
        text = f"*({place(type_, opposite)} *)({pointer} + {place(at, *others)})"
        if size > 1 and random.random() < 0.5:
            swap = {2: "bpf_ntohs", 4: "bpf_ntohl", 8: "bpf_be64_to_cpu"}[size]
            text = f"{place(swap, f'(__u{8 * size})')}({text})"
        return text

    def expression(self, depth: int) -> str:
        """A number; `depth`: how many operators deep."""
        random = self.random
        if depth <= 0 or random.random() < 0.15:
            return random.choice((self.variable, self.variable, self.constant, self.read))()
        a = self.expression(depth - 1)
        match random.choice("aaaammsscctbdow"):
            case "a":
                operator = random.choice("+-&|^")
                other = random.choice([each for each in "+-&|^" if each != operator])
                return f"({a} {place(operator, other)} {self.expression(depth - 1)})"
            case "m":
                mask = random.choice((1, 3, 7, 15, 0x3C, 0xF0, 0xFF, 0xFFF, 0x1FFF, 0xFFFF))
                return f"({a} & {place(mask, mask >> 1, mask << 1 | 1, -1)})"
            case "s":
                type_ = random.choice(WIDE)
                most = int(type_[3:]) - 1
                by = random.randint(0, most)
                amount = f"({self.variable()} & {most})" if random.random() < 0.3 else place(by, min(by + 1, most))
                opposite = type_.replace("s", "u") if "s" in type_ else type_.replace("u", "s")
                shift = random.choice(("<<", ">>", ">>"))
                return f"(({place(type_, opposite)}){a} {place(shift, '>>' if shift == '<<' else '<<')} {amount})"
            case "c":
                type_, other = random.choice(TYPES), random.choice(TYPES)
                return f"(({place(type_, other)}){a})"
            case "t":
                return f"({self.condition(depth - 1)} ? {a} : {self.expression(depth - 1)})"
            case "b":
                width = random.choice((16, 32, 64))
                return f"{place(f'__builtin_bswap{width}', f'(__u{width})')}({a})"
            case "d":
                type_ = random.choice(("__u32", "__u64"))
                divisor = (
                    f"(({type_}){self.variable()} | 1)" if random.random() < 0.4 else near(random.choice((3, 10, 64)))
                )
                return f"(({type_}){a} {place(*random.sample('/%', 2))} {divisor})"
            case "o":
                odd = random.choice(ODD)
                instruction = place(odd, *random.sample([each for each in ODD if each != odd], 2))
                return f'({{ __u64 odd = {a}; asm volatile("{instruction}" : "+r"(odd)); odd; }})'
            case _:
                operator = random.choice("+-*")
                type_ = random.choice(WIDE)
                mistaken = "-" if operator == "+" else "+"
                return f"(({type_}){a} {place(operator, mistaken)} ({type_}){self.expression(depth - 1)})"

    def condition(self, depth: int) -> str:
        """A comparison of two numbers as numbers of some type."""
        random = self.random
        type_ = random.choice(TYPES)
        other = random.choice([each for each in TYPES if each != type_])
        comparison = random.choice(COMPARISONS)
        mistaken = random.choice([each for each in COMPARISONS if each != comparison])
        right = self.constant() if random.random() < 0.6 else self.expression(depth)
        return f"(({place(type_, other)}){self.expression(depth)} {place(comparison, mistaken)} ({type_}){right})"


def _literal(value: int) -> str:
    return f"{value}ULL" if value > 0x7FFFFFFF else str(value)
