"""Patterns that find what a reply claims, over text in which a private character stands for a mention."""

from __future__ import annotations

import re
from typing import Final

from egobench.replies.mentions import ANY, BARE, LETTERED, NO_MENTION, PHRASE, SIGN, SURE, WEAK, WORDS
from egobench.replies.vocabulary import ANSWER, FOREIGN_ANSWER, FOREIGN_RIGHT, LINK, RIGHT

# --- Pieces of patterns ----------------------------------------------------------------------------------------------

_VERB: Final = (
    r"(?:is|are|was|were|seems?|looks?|appears?|could|can|cannot|can't|does|doesn't|did|didn't|would|will|has|have|"
    r"should|may|might|must|first|comes|refers|kann|ist|war|könnte|est|peut|puede|es|no|è|non|não|é|best|better|"
    r"most|describes?|matches|fits|shows?|happens?|says|isn't|wasn't|never|also|only)"
)
_REASON: Final = r"(?:because|since|due|given|based on|rather|instead|but|not|over)\b"
# No word may follow a bare letter that would make it an article, a pronoun or the camera wearer.
_PARENTHESIS: Final = r"\s*(?:who|whose|which)\b|\s*(?:the|a|an|my|our)\s[^,.!?\n]{0,40},\s*\w"
_ENDS: Final = (
    rf"(?=\s*(?:$|,(?!{_PARENTHESIS})|[.;:!?()\]\n\"'|}}{NO_MENTION}]|-\s|"
    rf"(?:{_REASON}|as\b|and (?:not|the|it|is)\b|(?:is|ist|är|है)\W*$))|\s?[^\x00-\x7f])"
)
_TURN: Final = r"(?:no|actually|wait|sorry|hm+|correction|i mean|or|rather|then)"
_STOPS: Final = r"(?!\s*,(?!\s*(?:because|since|as|not|but|rather|instead|i|so|therefore)\b))"
_WEAK_ITEM: Final = (
    rf"{WEAK}(?=\W|$)(?!\s+(?!(?:is|are|was|were|do|does|don't|doesn't|can|cannot|could|seem|and|or|nor|but|because|"
    rf"since|as|happen|match|fit|both|all|leaves?|leaving|to|in|instead|rather|not|fits|matches|best|most|better|"
    rf"seems|oder|ou|o|e|und|y|et|"
    rf"looks|appears|would|must|it|ist|est|es|è|é|är|er|het|the|over)\b)\w)"
)
_ITEM: Final = rf"(?:{SURE}|{BARE}|{_WEAK_ITEM})"
_BEFORE_ITEM: Final = r"\s*(?:(?:then|maybe|also|perhaps|even|possibly)\s+)*[\"'(\[]*(?:(?:option|choice)\s+)?"
_COMMA: Final = (
    rf"(?:[\"')\]]*\s*(?:[,/&+|<>和或与か→]|[=-]>|\b(?:vs\.?|versus)(?=\s)){_BEFORE_ITEM}"
    rf"|(?<={SURE})[\s\"'-]*(?={SURE}))"
)
_AND: Final = (
    r"(?:[\"')\]]*\s*(?:,\s*)?(?:\b(?:and|or|nor|und|oder|y|e|et|ou|o|eller|atau|hoặc|или|veya)\b|또는|または)"
    rf"{_BEFORE_ITEM})"
)
_GROUP: Final = rf"(?:{_ITEM}(?:{_COMMA}{_ITEM}){{0,25}}(?:{_AND}{_ITEM}){{0,5}})"
_FILL: Final = (
    r"[\s:,\"'({\[>=|-]{0,6}(?:l'|(?:that|the|most|likely|probably|clearly|definitely|certainly|therefore|thus|"
    r"indeed|"
    r"actually|simply|option|choice|letter|answer|it's|it is|it must be|on|la|le|l'|die|die option|l'option|opción|"
    r"a|o|"
    r"letra|letter|either|both|only|just|for)\b[\s:,\"'({\[>=-]{0,6}){0,6}"
)
_CHOOSE: Final = (
    r"(?:choose|chose|select|selected|pick|picked|go with|going with|went with|say|think|believe|guess|vote for|"
    r"vote|opt for|settle on|settle for|go for|going for|went for|chosen|opted for|answer|conclude|choosing|"
    r"selecting|picking|mean|meant|change (?:it|my answer|that) to|"
    r"correct myself|stick with|lean(?:ing)? towards?)"
)
_SURELY: Final = (
    r"(?:maybe|perhaps|probably|possibly|most likely|likely|definitely|clearly|certainly|obviously|surely|sure|sorry|"
    r"okay|ok|yes|no|well|hm+|so|thus|hence|therefore|oops|absolutely|undoubtedly|without (?:a )?doubt|no doubt|donc|"
    r"dunque|portanto|entonces|alors|ergo|wait|actually|finally|overall|alright|right|"
    r"correction|edit|scratch that|on second thought|i mean|instead|not sure|great|good|final|dr|tldr|"
    r"to sum up|in short|in summary|in brief|in conclusion|to conclude|ultimately)"
)
_AFTERTHOUGHT: Final = (
    r"(?:obviously|clearly|definitely|certainly|for sure|i think|i believe|i guess|i'd say|i would say|probably|"
    r"please|instead|though|of course|it is)"
)
_SEEN: Final = (
    r"(?:video|clip|scene|footage|action|activity|what|events?|it|question|evidence|sequence|frames?|"
    r"description|content|movements?)"
)

_NAMED: Final = (
    # A heading or a label, a sentence that says which one is the answer, one that is right or fits.
    rf"{ANSWER}(?!s\b)\s*(?:[:=|>]|\s-\s?|->)*{_FILL}({_GROUP}){_ENDS}",
    rf"{ANSWER}[^.!?\n;{NO_MENTION}]{{0,60}}?{LINK}{_FILL}({_GROUP}){_ENDS}",
    rf"(?:{ANSWER}|correct|description|match|bet|final|selected|chosen|best|caption|action|step|correction|edit|"
    rf"one|outcome)"
    rf"[^.!?\n;{NO_MENTION}]{{0,60}}?(?:\b(?:is|be|are)\b|[:=]){_FILL}({_GROUP}){_ENDS}",
    rf"({_GROUP})[\"')\]]*\s+(?:is|are|seems?|looks?|appears?|would be|must be|should be|has to be|"
    rf"remains?)\s+(?:(?:to be|the|"
    rf"my|a|most|more|better|closest|clearly|definitely|probably|only|very|likely|plausible|suitable|specific|and|"
    rf"one|that|{RIGHT})\s+)"
    rf"{{0,8}}(?:{RIGHT}\b|one\b(?=\W*$)|it\b(?=\W*$)|(?:supported|shown|confirmed|seen|depicted|described|"
    rf"visible) (?:by|in) (?:the|this)\b[^.!?\n,;]*|what (?:happens|we see|i see|is (?:seen|shown)|the video shows|"
    rf"c does)\b|(?:left|likely|probable|plausible|fitting|suitable|reasonable)\b(?=\W*$))"
    r"(?=\s*(?:$|[.,;:!?)\n]|(?:because|since|as|for|given|and|while|but|to the|to this|of|here|based on|that)\b))",
    rf"({_GROUP})[\"')\]]*\s+(?:(?:best|most accurately|accurately|perfectly|exactly|clearly)\s+)(?:describes?|"
    rf"match(?:es)?|fits?|"
    r"answers?|captures?|represents?|explains?|reflects?|summari[sz]es?|shows?)\b",
    rf"({_GROUP})[\"')\]]*\s+(?:(?:best|most accurately|accurately)\s+)?(?:describes?|match(?:es)?|fits?|answers?|"
    rf"captures?|"
    rf"represents?|explains?|reflects?)(?:\s+(?:the|this|best|with|all|our|my|well|perfectly|of)){{0,3}}"
    rf"(?=\s*(?:{_SEEN}\b|$|[.,;!]))",
    rf"((?:{LETTERED}|{BARE}))\s+(?:it is|happens|happened|does|holds|works|applies)(?=\W*(?:$|[.,;!]))",
    rf"({_GROUP})\s*(?:选项)?\s*(?:[是最が]|(?:ist|est|es|è|é|är|er|jest|je|este|adalah|là|on)\s+"
    rf"(?:die |la |das )?)*\s*{FOREIGN_RIGHT}",
    rf"((?:{SURE}|{BARE}|{WEAK}))[\"']?\s*(?:\b(?:is|ist|est|es|è|é|är|er|jest|to)\b|-|"
    rf"[是がは가이])\s*(?:[^\W\d]+ ){{0,3}}?"
    rf"(?:正确|正しい)?{FOREIGN_ANSWER}(?![^\W])|((?:{LETTERED}|{BARE}|{WEAK}))\s*[가이がは是]\s*(?:正确|正しい)?{FOREIGN_ANSWER}",
    rf"(?:{FOREIGN_RIGHT})\s+(?:ist|est|es|è|é|är|er|jest|je|este)\s+({_GROUP}){_ENDS}",
    rf"\b(?:as for|for) ({LETTERED}|{BARE}), (?:it|this) (?:is|does) (?:what|exactly|correct|right)",
)
_CONCLUDED: Final = (
    rf"(?:\b(?:so|therefore|thus|hence|consequently|accordingly|(?<!anything )(?<!everything )(?<!nothing )(?<!all )"
    rf"(?<!option )(?<!one )(?<!answer )(?<!them )(?<!these )(?<!those )but|leaves|leaving|left with|sondern|"
    rf"arrives? at|ends? up (?:with|at)|(?:leaves?|left) (?:us|me|one) with)\b|所以|因此|觉得是|"
    rf"而是|认为是|应该是|应为|=>|->|→){_FILL}(?!{WORDS})({_GROUP}){_ENDS}{_STOPS}",
    rf"^\W*(?:since|as|because|given|with|unlike|rather than|instead of|in|of|from|based|to my|for|not|by|through)"
    rf"\b[^.!?\n]*[,:]\s*{_FILL}((?:{LETTERED}|{BARE}))(?=\W*$)",
    rf"^\W*not\b[^.!?\n]*:\s*{_FILL}({WEAK})(?=\W*$)",
    rf"^\W*(?:in|to|from) (?:my|this|the|all|short)\b[^.!?\n,]{{0,30}}\b(?:opinion|view|mind|summary|conclusion|"
    rf"total|"
    rf"evidence|end|options),\s*{_FILL}({WEAK})(?=\W*$)",
    rf"\b(?:matches|match|corresponds? to|points? (?:me )?to|supports?|suggests?|indicates?|fits|favou?rs?|confirms?|"
    rf"consistent with|aligns? with|agrees? with|described by|leads? (?:me )?to|means)\s+{_FILL}((?:{LETTERED}|"
    rf"{BARE}))"
    rf"(?=\s*(?:$|[.,;:)]|best|most|well|exactly|perfectly|because|since|as))",
    rf"\b(?:matches|match|corresponds? to|aligns? with)\s+{_FILL}({WEAK})(?=\W*$)",
    rf"^[^\w{NO_MENTION}]*(?:[^.!?\n]*,\s*)?({SIGN}) seems plausible\b",
    rf"\b(?:is|are|was) ({SIGN})(?= \w+ing\b)",
    rf"\b(?:it|this|that|which) (?:is|was) {_FILL}({LETTERED})(?=\W*$|[.,;:]|\s+because)",
    rf"\bmak(?:es|ing)\s+({_GROUP})\s+(?:the )?(?:\w+ )?{RIGHT}\b",
    rf"\band (?:i )?(?:choose|pick|select|go with)\b{_FILL}(?!{WORDS})({_GROUP}){_ENDS}{_STOPS}",
    rf"\b(?:i|we|i'd|i'll|i'm|we'd|let's|let us|let me)\b[^.!?\n;{NO_MENTION}]{{0,40}}?\b{_CHOOSE}\b{_FILL}(?!{WORDS})"
    rf"({_GROUP}){_ENDS}{_STOPS}",
    rf"\b(?:wähle|nehme|choisis|elijo|escojo|escolho|scelgo|kies|väljer|velger|vælger|"
    rf"wybieram|wybór|chọn|memilih|pilih)\b{_FILL}(?!{WORDS})({_GROUP}){_ENDS}",
    rf"^[^\w{NO_MENTION}]*(?:(?:please|so|then|just|and|i)\s+)*(?:select|choose|pick|choosing|selecting|picking|"
    rf"going with|going for|"
    rf"go with|mark|vote for|answering){_FILL}(?!{WORDS})({_GROUP}){_ENDS}{_STOPS}",
    r"(?:^|[,;:(-]|\b(?:that|think|believe|guess|confident|sure|say|certain|yes|no|so|since|but)\b)\s*"
    r"(?:(?:(?:it|that|this) )?(?:would|must|has to|have to|should|got to|gotta|can only|could only) be|it's|it is|"
    r"that's|"
    rf"(?:that is|this is)(?=\s*{_FILL}(?:{LETTERED}|{BARE}))|c'est|es ist|è|é)\b"
    rf"{_FILL}(?!{WORDS})({_GROUP})(?=\W*$|\s*,|\s+(?:that|because|since|who|which)\b)",
    rf"(?:^|[,;:]|- )\s*(?:{_SURELY}\b[\s,:!-]*){{1,6}}{_FILL}(?!{WORDS})({_GROUP})(?=[^\w{NO_MENTION}]*$)",
    rf"(?:^|[\s,])({_GROUP})\s*(?:です|だと思います|だと思う|だ|입니다|이다|예요|이에요)[^\w{NO_MENTION}]*$",
)
ALONE: Final = re.compile(
    rf"[^\w{NO_MENTION}]*(?:(?:{_SURELY}|option|choice|letter|letra|alternativa|the)\b[\s,:!'\"(-]*){{0,6}}"
    rf"({LETTERED}|{BARE}|{WEAK})[^\w{NO_MENTION}]*(?:{_AFTERTHOUGHT}[^\w{NO_MENTION}]*)?",
    re.IGNORECASE,
)

_ADVERB: Final = r"(?:\w+ly|also|just|all|both|to be|be|being|been|then|in fact|the|a|an|still|quite|now|, however,)"
TURNED: Final = re.compile(
    r"[\"')\]]*\s*(?:,?\s*(?:however|though|therefore|of course)\s*,?\s*)?(?:"
    r"(?:is|are|was|were|seems?|looks?|appears?|can|does|do|did|would|could|will|has|have|should|must)"
    rf"(?:n't\b|n't|\s+(?:{_ADVERB}\s+){{0,4}}(?:not|never|wrong|incorrect|false|unlikely|implausible|irrelevant|"
    rf"ruled out|"
    r"eliminated|excluded|discarded|out\b(?! of)|impossible|distractor|trap|worst|least|inaccurate|contradicted|"
    r"unsupported|refuted|rejected|no longer|less likely|mistaken|nowhere|too (?:vague|general|specific|broad))\b)"
    r"|(?:cannot|can't|never|fails?|lacks?|contradicts?|conflicts?|misses|misrepresents|goes against|doesn't|don't|"
    r"isn't)\b"
    r"|(?:ist|est|es|è|é|är|er|jest|este)\s+(?:\w+\s+)?(?:falsch|nicht|faux|fausse|incorrecte?|incorrect[ao]|"
    r"fals[ao]|"
    r"sbagliat[ao]|errad[ao]|fel|forkert|feil|błędna)\b"
    r"|\s*[가는은이]?\s*아[니닙닌]|では?な|ではあり|じゃな|değil|は?(?:間違|誤|違)|是?(?:错|不|錯)|yanl\u0131ş|salah\b|sai\b|неверн|неправильн"
    r"|✘)",
    re.IGNORECASE,
)
_YES: Final = (
    r"(?:yes|correct|right|true|✔|(?:this|it) is (?:exactly |precisely |clearly )?(?:(?:the )?(?:correct|right|best)|"
    r"what)\b[^.\n;]*)"
)
_NO: Final = (
    r"(?:no|incorrect|wrong|false|✘|ruled out|eliminated|unlikely|"
    r"(?:(?:this|it) (?:is|was|does|did) )?(?:not|never|n't)\b[^.\n;\U000f0000-\U000f9fff]*)"
)
_LABEL_GAP: Final = r"[\"')\]]{0,2}[\s.:=|>-]{0,5}\(?"
VERDICT: Final = re.compile(
    rf"(?:(?<=[\n.!?;,{{(|-])\s*|^|(?<=\s)-\s|(?<=\s)(?={SIGN})|(?<=✘)\s|(?<=✔)\s)[^\w{NO_MENTION}]{{0,4}}((?:{LETTERED}|{BARE}|"
    rf"{WEAK}))"
    rf"{_LABEL_GAP}(?:(?P<yes>{_YES})|(?P<no>{_NO}))"
    rf"(?=\s*(?:[.;)\]}}|!\n]|$|,\s*[\"']?{ANY}[\"')\]]{{0,2}}[\s.:=|-]{{0,5}}(?:{_YES}|{_NO})"
    rf"|,(?!\s*{ANY}\W*(?:\n|$))[^.\n\U000f0000-\U000f7fff]*(?:[.\n]|$))|"
    rf"(?<!not)(?<!not )(?<!never)(?<!never )\s*{ANY})",
    re.IGNORECASE,
)
VERDICT_OF_WORDS: Final = re.compile(
    rf"({WORDS})[\"']?\s*[:=,-]\s*(?:(?P<yes>yes|correct|right|true|✔)|(?P<no>no|incorrect|wrong|false|✘))"
    rf"(?=\s*(?:[.;!\n]|$))|({WORDS})[\"']?\s*(?:(?P<tick>✔)|(?P<cross>✘))",
    re.IGNORECASE,
)
WEIGHT: Final = re.compile(rf"({ANY})[\"')\]]{{0,2}}[ .:=(-]{{1,4}}\d+(?:[.,]\d+)?\s*(?:%|points?\b|/|[,;.)\n]|$)")
LEAD: Final = re.compile(
    rf"(?:^|(?<=[.!?;\n])[ \n]?)[^\w{NO_MENTION}.!?]{{0,6}}(?:\d{{1,2}}[.)]\s*)?"
    rf"(?:({SIGN})(?!\s+{_VERB}\b)(?!\s*(?:[,/&]|and\b|or\b)\s*[\"'(]?{ANY})|({PHRASE}|{BARE}|"
    rf"{WEAK})(?=[\"']?(?:\.(?!\.+ ?(?!{_TURN}\b)[a-z])|:(?! ?\")|[)\]]|\s?\||\s*(?:\n|$)))"
    rf"|({BARE}|{WEAK})(?=\s*[,-]\s*(?:no|wait|actually|sorry|correction|oops|i mean|or rather)\b)"
    rf"|({BARE}|{PHRASE})(?=\s*(?:[(\[=→]|->|- )|\s*,?\s*(?:(?:and )?not|because|since|as|but|though|although|"
    rf"while|given|with|rather|instead|due|i (?:think|believe|guess))\b)"
    rf"|({WEAK})(?=\s*,?\s*(?:because(?! of)|since)\b(?![^,.\n]*,\s*\w+s\b)|\s*,?\s*(?:but|not|and not|rather|"
    rf"instead)"
    rf"\b\s+(?:not |than |of )?[\"'(]?{ANY}|\s*,?\s*i (?:think|believe|guess)\b|, with \d|\s*\[|"
    rf"\s*\((?:confidence\b|\d|[^()\n]{{0,20}}%)))"
)
LABEL: Final = re.compile(
    rf"({SIGN})\s+(?!{_VERB}\b)\w|({BARE}|{WEAK}|{PHRASE})[\"']?(?:\s?[:=]| - |\))\s*(?!{_YES}|"
    rf"{_NO})\w",
    re.IGNORECASE,
)
RUN: Final = re.compile(rf"[ .:)\]|-]{{1,4}}({BARE}|{WEAK})\s*[:.)\]|]")
SENTENCE_END: Final = re.compile(r"[.!?;]+(?![\"'] ?(?:is|was|would be|:))[\"')\]]*(?=\s|$|[^\x00-\x7f])|\n")
HEADING: Final = re.compile(
    rf"(^|\n)([^\w\n{NO_MENTION}]*(?:\w+ ){{0,2}}(?:{ANSWER}|correct|final answer|conclusion)[^\w\n{NO_MENTION}]*)\n",
    re.IGNORECASE,
)
RUN_ON: Final = re.compile(
    rf"(\b(?:is|are|be|ist|est|es)|:|=) ?\n(?![^\n]*\n[^\w\n{NO_MENTION}]{{0,6}}(?:\d{{1,2}}[.)] ?)?{ANY})"
)
SAYS: Final = re.compile(
    rf"{LETTERED}[\"']?\s+(?:also )?(?:says|states|describes|claims|mentions|refers|involves|would|requires|suggests|"
    r"implies|talks|shows|depicts|reads|mean)\b|\bfrom option\b|"
    rf"\bas for [\"']?{SURE}|{WORDS}[\"']\s*(?:says|states|mentions|refers|would|could|might|comes|is|was|stands|"
    rf"first|"
    rf"then|has)\b|\d\s*% [\"']?{SURE}|{LETTERED}\s+{_VERB}\W*$",
    re.IGNORECASE,
)
TAKEN_BACK: Final = re.compile(
    r"[^\w]*(?:hm+\W*|oh\W*|actually\W*|but\W*)*(?:no\W*$|no,? (?:wait|that|this|it)\b|wait\b|scratch that|"
    r"(?:that|this|it)(?:'s| is| was| (?:isn't|wasn't))(?: not)? (?:wrong|incorrect|mistaken|a mistake|correct|"
    r"right|true)\b)",
    re.IGNORECASE,
)
AFFIRMED: Final = re.compile(r"\W*(?:yes|yep|yeah|correct|right|exactly|indeed|it is)\b", re.IGNORECASE)
OR: Final = re.compile(r"\bor\b|[<>→]|\b(?:vs|versus)\b|或|还是|oder\b|\bou\b", re.IGNORECASE)


def _patterns(templates: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(template, re.IGNORECASE) for template in templates)


ANCHORS: Final = (("named", _patterns(_NAMED)), ("concluded", _patterns(_CONCLUDED)))
GROUPS: Final = re.compile(_GROUP, re.IGNORECASE)
WEAK_ALONE: Final = re.compile(WEAK)
CONCEDED: Final = re.compile(r"\b(?:although|though|while|whereas|even if|despite)\s*$", re.IGNORECASE)
"""Before a clause that concedes what the sentence does not claim."""
GOES_ON: Final = re.compile(rf"\s?(?!{_TURN}\b)[a-z]")
"""After an ellipsis or a semicolon: the sentence goes on."""
CONDITION_ENDS: Final = re.compile(r"\b(?:but|however|although)\b|(?<=,) so\b", re.IGNORECASE)
"""Ends what a condition before it covers."""
INTRODUCED: Final = re.compile(r"\b(?:because|since|but|so)\b|, ?as\b|\(", re.IGNORECASE)
"""Between a mention and a later condition: the condition belongs to something else."""
OR_BEFORE: Final = re.compile(r"\b(?:or|nor)\b[^,;]{0,12}$", re.IGNORECASE)
OR_AFTER: Final = re.compile(r"\W*\bor\b", re.IGNORECASE)
OFFERED: Final = re.compile(
    r"\b(?:either|among|between|of|options|choices|candidates|with|from)\W*$|\boptions\b.*$", re.IGNORECASE
)
"""Before options that are only offered."""
QUOTED_QUESTION: Final = re.compile(r'"[^"\n]{1,200}\?"')
"""The question said again."""
REST_OF_LINE: Final = re.compile(r"[^\n]*?\w")
RANGE: Final = re.compile(rf"{ANY}\s+(?:to|through)\s+{ANY}")
"""All options from one to another."""
LINKED: Final = re.compile(r"\b(?:be|is|are|answer|option|choice)\W*$", re.IGNORECASE)
