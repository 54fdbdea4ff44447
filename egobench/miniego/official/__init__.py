"""Official files: a module per data set that writes its annotation files from episodes.

A generated world has, below its folder::

    annotations/<task>/   videos/<task>/             the eight tasks, from test episodes
    train/                                           Ego-Exo4D: takes.json, captures.json, annotations/, takes/
    train/egtea/   something-something-v2/   egoexolearn/     both splits, as their files tell train from val
    train/egoclip.csv   egoclip/   pairs/   egotimeqa/   open-eqa/   vln-qa/        the split train
    val/   ...                                       the same for the split val
    log.jsonl                                        all that happens in every episode

Videos are H.264 in MP4 whatever their names end in.
"""
