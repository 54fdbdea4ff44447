"""Words by which a reply chooses, turns down, supposes, asks, weighs or declines, in the languages models write in."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

from egobench.replies.mentions import LETTERED, NO_MENTION, WEAK

_ANSWER_ENGLISH: Final = (
    "answer|ans|option|choice|letter(?! (?:on|in|at|written))|response|prediction|selection|solution|verdict|"
    "conclusion|decision|output|result|pick|label(?! (?:on|in|at))|caption|guess|bet"
)
_ANSWER_LATIN: Final = (
    "respuesta|opción|solución|elección|letra|réponse|lettre|choix|antwort|lösung|buchstabe|wahl|risposta|opzione|"
    "lettera|scelta|resposta|opção|escolha|alternativa|antwoord|optie|keuze|svar|svaret|alternativet|vastaus|"
    "vaihtoehto|odpowiedź|opcja|odpověď|odpoveď|možnost|odgovor|opcija|válasz|răspuns|răspunsul|varianta|cevap|"
    "cevab\u0131m|cevab\u0131|yan\u0131t|seçenek|ş\u0131k|"
    "đáp án|câu trả lời|lựa chọn|jawaban|jawabannya|jawapan|pilihan|sagot|jibu|vastus|atbilde|atsakymas|"
    "përgjigja|përgjigjja|erantzuna|freagra|ateb|svarið|impendulo|idahun|amsa|javob|cavab"
)
_ANSWER_OTHER: Final = (
    "ответ|вариант|відповідь|отговор|одговор|адказ|απάντηση|επιλογή|תשובה|התשובה|الإجابة|الاجابة|إجابة|الجواب|جواب|"
    "الخيار|پاسخ|گزینه|उत्तर|जवाब|विकल्प|উত্তর|பதில்|விடை|సమాధానం|జవాబు|ಉತ್ತರ|ഉത്തരം|જવાબ|ਜਵਾਬ|ਉੱਤਰ|คำตอบ|ຄໍາຕອບ|"
    "ចម្លើយ|အဖြေ|პასუხი|պատասխանը?|መልስ|"
    "答案|回答|选项|选择|应选|故选|我选|选|選項|選擇|選択肢|選|正解|解答|答え|答|정답|답변|답"
)
FOREIGN_ANSWER: Final = normalize("NFKC", rf"(?:\b(?:{_ANSWER_LATIN})\b|{_ANSWER_OTHER})")
"""The word for an answer in other languages than English."""
ANSWER: Final = normalize("NFKC", rf"(?:\b(?:{_ANSWER_ENGLISH}|{_ANSWER_LATIN})\b\.?|{_ANSWER_OTHER})")
"""The word for an answer."""

LINK: Final = normalize(
    "NFKC",
    r"(?:\b(?:is|are|be|es|est|ist|lautet|là|är|er|(?<=vastaus )on|(?<=odpowiedź )to|jest|je|este|adalah|ialah|ni|"
    r"é|è|sia|sea|soit|seja|remains|lies in|lies with)\b|'s\b|[:=>|]|\s-\s|"
    r"[은는は是为為]|이\s|คือ|هي|هو|היא|это|है)",
)
"""What joins the word for an answer to the answer."""

RIGHT: Final = (
    r"(?:correct|right|best|accurate|appropriate|true|answer|option|choice|match|description|fit|pick|guess|bet)"
)
FOREIGN_RIGHT: Final = normalize(
    "NFKC",
    r"(?:richtig|korrekt|correct[ae]?s?|corrett[ao]|corret[ao]|juist|rätt|riktigt?|rigtigt?|oikein|benar|đúng|"
    r"správn[áěé]|poprawna|правильный|верно|верный|doğru|正しい|正确|正確|对的|合适|最合适)",
)

CONDITIONS: Final = re.compile(
    normalize(
        "NFKC",
        r"(?<!as )(?<!even )\bif\b(?! (?:i|we) (?:had to|have to|must|were to|was to|need to|am not|'m not)| i'm not|"
        r" anything| you (?:look|watch|ask me))|"
        r"\b(?:unless|provided that|providing that|in case|in that case|as long as|only when|at first|initially|"
        r"(?:could|might|would) have been)\b|"
        r"^\W*when(?:ever)?\b|^\W*say\b(?! that)|\b(?:wäre|würde|serait|sería|seria|sarebbe)\b|"
        r"\b(?:wenn|falls|sofern|angenommen|jika|kalau|nếu|eğer|jeśli|gdyby|pokud|als|om|hvis|jos|dacă|если|якщо|"
        r"ако|\u03b1\u03bd|אם|إذا|لو|اگر|अगर|यदि)\b|(?:^|[,.:] ?)(?:si|se)\b|"
        r"如果|假如|假设|若|要是|もし|만약|만일|ถ้า|หาก",
    ),
    re.IGNORECASE,
)
"""What follows it is supposed, up to the end of the sentence; what precedes it in the sentence is, too."""

SPECULATIONS: Final = re.compile(
    rf"\bmaybe\b[^.]*\bmaybe\b|^\W*provided\b|\bas (?:if|though)\b(?=[^.]*\bwere\b)|\b(?:suppos(?:e|es|ed|ing)|"
    rf"assum(?:e|es|ing)|imagin(?:e|ing)|whether|when in doubt|wonder(?:s|ed|ing)?|let's say|"
    r"let us say|hypothetically|pretend|according to|(?<!is )in (?:option|choice|the case of)|"
    r"(?:one|you|some|some people|people|others|someone|somebody|many) (?:\w+ )?"
    rf"(?:could|might|may|would|often|usually|choose|pick|say|answer))\b|(?<!\w)(?<!lies )in {LETTERED}|"
    rf"according to {LETTERED}|"
    rf"^[^\w{NO_MENTION}]*(?:had|were|was|should) (?:he|she|it|they|the|{WEAK}|one|there)(?!\w)",
    re.IGNORECASE,
)
"""What follows it in the sentence is supposed."""

NEGATIONS: Final = re.compile(
    normalize(
        "NFKC",
        r"\b(?:not|never|cannot|neither|nor|none of|doubt(?:s|ed|ful)?|unlikely|impossible|wrong(?:ly)?|incorrect|"
        r"false|mistake|mistaken|disagree(?:s|d)?|reject(?:s|ed|ing)?|rul(?:e|es|ed|ing)(?: out\b|(?=\W*$))|"
        r"eliminat(?:e|es|ed|ing)|"
        r"exclud(?:e|es|ed|ing)|discard(?:s|ed|ing)?|dismiss(?:es|ed|ing)?|avoid|nobody|nothing|nowhere|no one|"
        r"hardly|hesitat(?:e|es|ed|ing)|odd one out|little (?:to|evidence|reason|speaks)|any of (?:\w+ ){1,2}but|"
        r"scarcely|barely|rather than|instead of|unlike|except(?: for)?|anything but|everything but|all but|"
        r"any (?:\w+ )?but|every (?:\w+ )?but|other than|"
        r"far from|least (?:\w+)|worst|lack(?:s|ing)?|against|contradict(?:s|ed)?|refut(?:e|es|ed)|in no way|"
        r"no (?:way|evidence|indication|sign|reason|support|proof|chance|longer|means|need)|by no means|refuse|"
        r"without|"
        r"nicht|kein(?:e|en|er)?|falsche?r?|pas|jamais|ni|não|nunca|non|né|niet|geen|inte|ikke|ikkje|nie|ne|nu|ei|"
        r"incorrect[ao]|fals[aoe]|không phải|bukan|tidak|не|нет|ні|δεν|לא|ليس(?:ت)?|नहीं)\b|n't\b|"
        r"\bno\b(?= \w+$| (?:\w+ )?$)|^\W*no (?=es\b)|\bno (?:es|creo|pienso|puede)\b|\bover\b(?=\W*$)|不是|"
        r"不选|不應|不应|"
        r"並非|并非|错误|錯誤|排除|除了|没有|ไม่|✘(?=\W*$)|^\W*no(?:pe)?\W*$",
    ),
    re.IGNORECASE,
)
"""Before a mention in its clause: it is turned down."""

HARMLESS: Final = re.compile(
    r"\b(?:no|without(?: a| any)?|beyond(?: a| any)?) (?:doubt|question)|\bnot only\b|\bnot just\b|"
    r"\b(?:not|n't|nothing|none) (?:else |be |be anything |anything )?(?:other than|but|else but|else than)\b|"
    r"\bcannot be (?:anything )?(?:but|other than)\b|\bnot (?:sure|certain)\b(?= but\b)",
    re.IGNORECASE,
)
"""Negations that turn nothing down."""

CLAUSE_ENDS: Final = re.compile(
    normalize(
        "NFKC",
        r",(?! ?(?:that|dass|que|che|of course|in any case)\b)|;|\(| - |"
        r"\b(?:(?<!anything )(?<!everything )(?<!nothing )(?<!all )(?<!them )(?<!these )(?<!those )but|however|so|"
        r"therefore|thus|hence|because|since|then|"
        r"while|whereas|although|though|even if|despite|sondern|sino|mais|mas|aber|leav(?:es?|ing)|"
        r"(?<!no )mean(?:s|ing)|impl(?:ies|ying)|"
        r"mak(?:es|ing)|leads? to|indicat(?:es|ing)|and (?=(?:the|it|it's|this|my|choose|pick|select|i)\b)|"
        r"which (?=leaves|means))\b|而是|所以|因此|而",
    ),
    re.IGNORECASE,
)
"""Where a clause ends within a sentence."""

WEIGHED: Final = re.compile(
    r"\btempting\b|(?<!most )(?<!more )(?<!seems )\bplausible\b|(?<!most )(?<!not )\bpossible\b|"
    r"\b(?:could|may|might)\b(?! only\b)|\bmerit\b|\b(?:less|more|equally|as|un) ?likely\b|\bdepends\b|"
    r"\bcandidates?\b|"
    r"\bin part\b|\bpart(?:ly|ially)\b|\b(?:was|were) (?:tempted|torn|thinking)\b|\bconsider(?:s|ed|ing)?\b|"
    r"\bcompar(?:e|es|ed|ing)\b|\blook(?:s|ing)? (?:\w+ )?at\b|\bcheck(?:s|ing)?\b|\bthought\b|\banswered\b|\bsaid\b|"
    r"\bclose to\b|\bP ?\($|可能|也许|pourrait|könnte|podría|poderia|potrebbe|может",
    re.IGNORECASE,
)
"""In the clause of a mention: it is weighed, or was thought of once."""

INQUIRIES: Final = re.compile(
    r"\b(?:ask(?:s|ed|ing)?|explain|clarify|provide|tell me|show me|give me|describe|repeat|question is)\b",
    re.IGNORECASE,
)
"""Before a mention in its sentence: it is asked about."""

REVIEWS: Final = re.compile(
    rf"\b(?:analy[sz]\w*|look(?:ing)? at|examin\w+|consider(?:ing)?|go(?:ing)? through|evaluat\w+|review\w*|check\w*|"
    rf"compar\w+|discuss\w*|break down)\b[^.!?\n]{{0,40}}(?:\b(?:options?|choices?|each|answers?|candidates?)\b|"
    rf"{LETTERED})",
    re.IGNORECASE,
)
"""Announces that the options are gone through."""

REFUSAL: Final = re.compile(
    normalize(
        "NFKC",
        r"(?:(?:^|[.,;:!?'\"-]|\b(?:i|we|so|but|and|one|ai|model|assistant|therefore|unfortunately))\s*(?:also |"
        r"really )?"
        r"\b(?:cannot|can't|can not)\b(?! (?:agree|be (?!sure|certain)|have been))|"
        r"\b(?:cannot|can't|can not) be (?:determined|answered|identified|inferred|known|told|established|concluded|"
        r"verified|confirmed)|\b(?:unable to|not able to|(?:won't|will not)(?= (?:answer|provide|respond|"
        r"be able)))\b|"
        r"i(?:'m| am)? (?:sorry|apologi[sz]e)|i (?:must decline|decline|refuse)|i (?:don't|do not) know|"
        r"(?:don't|do not) (?:see|have|find) (?:any |a |the |an )?(?:video|frames?|images?|clip|attach|access|enough|"
        r"abilit|capabilit|information)|no (?:way|ability|means) to|i(?:'m| am) not sure|no idea\b|as an ai\b|"
        r"(?:not possible|impossible) to|"
        r"(?:not|isn't) enough information|insufficient|no video|"
        r"please (?:provide|upload|share|attach) (?:a |an |the |your |me )*(?:with )?(?:the |a )?"
        r"(?:video|frames?|images?|clip|file|more)|(?:haven't|have not) (?:provided|uploaded)|lo siento|no puedo|"
        r"je ne (?:peux|sais)|ich (?:kann|weiß)|não (?:posso|consigo)|non posso|не могу)|"
        r"无法|無法|抱歉|对不起|對不起|不知道|不能(?:确定|回答|確定)|わかりません|できません|申し訳|모르|수 없",
    ),
    re.IGNORECASE,
)
"""Stands in a plain text that declines to answer."""
