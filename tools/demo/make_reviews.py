#!/usr/bin/env python3
"""Write short reviews with two sentiments over twelve topics, from a seeded grammar.

The texts are ours, so they can live in the repository, and the two classes differ in what they say only:
for every positive text there is a negative one of the same topic with the same number of words. Concessions
("although the food was cold, ..."), hearsay that turns out wrong and negated praise put words of the other
sentiment into most texts, so that single words do not give the label away.

    make_reviews.py --out data/demo/reviews.jsonl                       # the demo data set: 3,000 texts
    make_reviews.py --n 200000 --seed 99 --exclude data/demo/reviews.jsonl --out train.jsonl

The same arguments give the same bytes: only random.Random.random() is drawn from, whose sequence Python
guarantees, and the phrase lists are written in a fixed order.
"""
import argparse
import json
import random
import re

from phrases import CLAIM, FRAMES, GENERAL, TOPICS

WORDS = range(15, 81)   # lengths allowed, in words


class Writer:
    """Expands one review. `[a|b]` picks an alternative, `{name}` a phrase; both may nest."""

    def __init__(self, rng, topic, positive):
        self.rng, self.topic, self.positive = rng, TOPICS[topic], positive
        self.aspects = list(self.topic["aspects"])      # each aspect is judged at most once in a review
        self.used = set()                               # and no frame or phrase comes twice

    def pick(self, options):
        fresh = [o for o in options if o not in self.used] or list(options)
        choice = fresh[int(self.rng.random() * len(fresh))]
        self.used.add(choice)
        return choice

    def claim(self, agree):
        """A clause about one aspect: "the acting was wooden". `agree`: with the label, or against it."""
        name, plural, good, bad = self.aspects.pop(int(self.rng.random() * len(self.aspects)))
        what = self.pick(good if self.positive == agree else bad)
        frame = CLAIM[int(self.rng.random() * len(CLAIM))] if self.rng.random() < 0.2 else "{n} {be} {w}"
        return frame.replace("{n}", name).replace("{be}", "were" if plural else "was").replace("{w}", what)

    def slot(self, name):
        side = "good" if self.positive else "bad"
        other = "bad" if self.positive else "good"
        if name in ("same", "opp"):
            return self.claim(name == "same")
        if name.endswith("+"):
            return self.pick(GENERAL[name[:-1]][side])
        if name.endswith("-"):
            return self.pick(GENERAL[name[:-1]][other])
        if name in ("story", "again"):
            return self.pick(self.topic[name][side])
        if name in self.topic:
            return self.pick(self.topic[name])
        return self.pick(GENERAL[name])

    def expand(self, text):
        while True:
            choice = re.search(r"\[([^\[\]]*)\]", text)          # innermost choice first
            if choice:
                parts = choice.group(1).split("|")
                text = text[:choice.start()] + parts[int(self.rng.random() * len(parts))] + text[choice.end():]
                continue
            slot = re.search(r"\{([a-z]+[+-]?)\}", text)
            if not slot:
                return text
            text = text[:slot.start()] + self.slot(slot.group(1)) + text[slot.end():]

    def sentence(self, kind):
        frames = FRAMES[kind]
        if isinstance(frames, dict):
            frames = frames["good" if self.positive else "bad"]
        text = re.sub(r"\s+([,.;:!?])", r"\1", self.expand(self.pick(frames)))
        text = re.sub(r"\s+", " ", text).strip()
        text = re.sub(r"^([\"']?)([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)
        return re.sub(r"([.!?] )([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)

    def review(self):
        """A plan, then its sentences: some of opening and setting, a body with a turn in it, a close."""
        draw = self.rng.random
        plan = []
        if draw() < 0.6:
            plan.append("setting" if draw() < 0.6 else "opening")
        body = ["claim"] * (1 if draw() < 0.6 else 2)
        if draw() < 0.72:
            body.append("turn")                  # holds a clause of the other sentiment
        if draw() < 0.25:
            body.append("hearsay")
        if draw() < 0.55:
            body.append("story")
        if draw() < 0.15:
            body.append("aside")
        for i in range(len(body) - 1, 0, -1):     # Fisher-Yates by random() alone
            j = int(draw() * (i + 1))
            body[i], body[j] = body[j], body[i]
        plan += body
        if draw() < 0.8:
            plan.append("close")
        return " ".join(self.sentence(kind) for kind in plan)


def write_pairs(n, seed, exclude):
    """n texts: positives and negatives matched one to one on topic and word count."""
    rng = random.Random(seed)
    topics, seen, waiting, rows = list(TOPICS), set(exclude), {}, []
    while len(rows) < n:
        topic = topics[int(rng.random() * len(topics))]
        positive = rng.random() < 0.5
        text = Writer(rng, topic, positive).review()
        length = len(text.split())
        if length not in WORDS or text in seen:
            continue
        seen.add(text)
        partners = waiting.get((topic, length, not positive))
        if partners:
            rows += [(positive, topic, text), (not positive, topic, partners.pop(0))]
        else:
            waiting.setdefault((topic, length, positive), []).append(text)
    order = sorted(range(n), key=lambda _: rng.random())
    return [rows[i] for i in order]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--n", type=int, default=3000, help="number of texts, even (3000)")
    ap.add_argument("--seed", type=int, default=20261123)
    ap.add_argument("--exclude", help="reviews.jsonl whose texts must not appear")
    ap.add_argument("--out", required=True)
    args = ap.parse_args()
    if args.n <= 0 or args.n % 2:
        ap.error("--n must be even and positive: the classes have the same size")
    exclude = []
    if args.exclude:
        with open(args.exclude, encoding="utf-8") as f:
            exclude = [json.loads(line)["text"] for line in f]
    with open(args.out, "w", encoding="utf-8", newline="\n") as f:
        for i, (positive, topic, text) in enumerate(write_pairs(args.n, args.seed, exclude)):
            row = {"id": f"r{i:04d}", "label": "positive" if positive else "negative", "topic": topic, "text": text}
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
