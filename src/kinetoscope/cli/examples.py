"""What there is to try: one example for every verb's help, and five in order for who comes new."""

EXAMPLES = {
    "demo": "kinetoscope demo --quick",
    "models": "kinetoscope models --json",
    "layers": "kinetoscope layers motion13",
    "visualize": "kinetoscope visualize motion13 conv3b --units 0,3,8-11 --out out",
    "redo": "kinetoscope redo out/conv3b/3/unit.json --out again",
    "decompose": "kinetoscope decompose clip.mp4 --out taken-apart",
    "sanity": "kinetoscope sanity motion13 conv3b --unit 5 --out sane",
    "ablate": "kinetoscope ablate motion13 fc --unit up --out ablated",
    "diversity": "kinetoscope diversity motion13 conv3b --unit 5 --count 4 --out diverse",
    "sweep": "kinetoscope sweep motion13 conv3b --unit 5 --over slowness --out sweep",
    "feature-maps": "kinetoscope feature-maps clip.mp4 --model motion13 --layer conv1 --units 0-3 --out maps",
    "kernels": "kinetoscope kernels motion13 conv1 --units 0-7 --out kernels",
    "attribute": "kinetoscope attribute clip.mp4 --model motion13 --target up --method grad-cam --out where",
    "search": "kinetoscope search motion13 conv3b --units 0-3 --clips films --out found",
    "decode": "kinetoscope decode lenet conv3 --units 0-3 --out decoded",
    "temporal": "kinetoscope temporal resnet18_3t --weights random --out temporal",
    "train": "kinetoscope train --recipe motion_3t --out trained",
    "tune": "kinetoscope tune motion13 conv3b --units 0-7 --out tuned",
    "compass": "kinetoscope compass motion13 conv3b --angles 8 --out compass",
    "naturalness": "kinetoscope naturalness out --clips films --out natural",
    "gallery": "kinetoscope gallery all-units --serve",
    "atlas make": "kinetoscope atlas motion13 --layers conv1,conv2 --out all-units",
    "atlas merge": "kinetoscope atlas merge all-units more-units",
    "evaluate planted": "kinetoscope evaluate planted --quick --out planted",
    "evaluate depth": "kinetoscope evaluate depth motion13 --units 4 --out deep",
    "evaluate tuning": "kinetoscope evaluate tuning motion13 --units 4 --out tuning",
}

FIRST = (
    ("kinetoscope demo --quick", "one class of the bundled network, in under a minute"),
    ("kinetoscope layers motion13", "where one can look"),
    ("kinetoscope visualize motion13 conv3b --units 0-3 --out out", "texture and motion of four units"),
    ("kinetoscope sanity motion13 conv3b --unit 0 --out sane", "is the picture about this unit?"),
    ("kinetoscope atlas motion13 --out all-units", "every unit; then `kinetoscope gallery all-units`"),
)


def welcome() -> str:
    """What the command says where it is given nothing to do."""
    width = max(len(line) for line, _ in FIRST)
    tried = "\n".join(f"  {line:{width}}  # {words}" for line, words in FIRST)
    return (
        "See what a unit of a 3D video network looks for: its optimal input, texture and motion.\n\n"
        f"Worth trying, in this order:\n\n{tried}\n\n"
        "Your own network: kinetoscope visualize path/to/file.py:factory LAYER --units 0 --out out\n"
        "All verbs: kinetoscope --help. One of them, with an example: kinetoscope VERB --help."
    )
