"""English words by what they ask for, to judge whether someone has finished and where a sentence ends.

Lower case, as recognisers without punctuation write them. Only closed classes and the commonest others: what is not
here counts as a word that may end a sentence.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[str]:
    return frozenset(phrase.strip() for phrase in text.split(","))


WHOLE = _phrases(
    "yes, no, yeah, yep, yup, nope, nah, sure, okay, ok, right, alright, all right, fine, good, great, cool, "
    "nice, perfect, exactly, correct, wrong, true, false, maybe, perhaps, never, always, nothing, none, of "
    "course, of course not, absolutely, definitely, certainly, not really, not yet, not now, not at all, no way, "
    "why not, i see, i know, i agree, i understand, got it, stop, stop it, stop that, quiet, be quiet, shut up, "
    "hush, enough, that's enough, cancel, never mind, forget it, go on, go ahead, continue, carry on, repeat, "
    "again, once again, repeat that, next, pause, resume, skip, help, louder, quieter, slower, faster, thanks, "
    "thank you, thank you very much, thank you so much, many thanks, thanks a lot, you're welcome, welcome, "
    "sorry, pardon, excuse me, hello, hi, hey, hello there, hi there, hey there, good morning, good afternoon, "
    "good evening, good night, goodbye, good bye, bye, bye bye, see you, see you later, see you soon, see you "
    "tomorrow, take care, wow, oh, uh huh, mhm, mm hmm, huh, why, how come, how much, how many, what for, so "
    "what, what else, who else, and you, you too, me too, me neither, same here, wake up, go to sleep, come in, "
    "come on, both, neither, either, one, two, three, today, tomorrow, tonight, yesterday, really, seriously, say "
    "again, i'm fine, i'm good, i'm okay, i'm back, i'm home, i'm here, i forgot"
)
"""Complete by themselves."""

ADDRESSES = _words("please parley thanks then now too today again")
"""May follow anything that is complete."""

LEAD_INS = _words(
    "hello hi hey okay ok so well oh um uh and but please parley yes no yeah yep sure thanks alright right now"
)
"""May stand before a sentence without being part of it."""

HESITATIONS = _words("um uh er erm uhm hmm hm mm umm uhh eh")
THINKING = _phrases(
    "let me see, let me think, let's see, let me check, hold on, hang on, wait, wait a minute, wait a second, one "
    "moment, just a moment, a moment, one second, just a second, one sec, give me a second, give me a moment, "
    "give me a minute, how do i say, how do you say, what's the word, what is the word, how do i put it, where "
    "was i"
)
"""Said by someone who searches for words."""
OPENINGS = _phrases(
    "well, so, now, okay so, ok so, and so, actually, anyway, basically, i mean, you know, like, alright so, by "
    "the way, also, plus, then, and then, but then, or maybe, okay well, oh well, listen, look, hey listen, "
    "first, first of all, for example, on the other hand, i was wondering, i was thinking, do you know, did you "
    "know, guess, please"
)
"""Said before the sentence begins."""

CONJUNCTIONS = _words(
    "and or but nor because cause cuz if whether while although though unless whereas whenever wherever than as "
    "since until till except plus minus times versus"
)
DETERMINERS = _words("a an the my your his its our their every each whose which what's who's where's how's when's")
ADJECTIVES = _words(
    "good new nice big small great funny short long little old young different other best better quick real "
    "special very really quite red blue green favorite favourite whole few couple certain single specific main "
    "most interesting bad happy sad hard easy huge tiny beautiful strange weird wonderful terrible lovely hot "
    "cold warm dark slow fast large similar famous strong important serious simple difficult busy rough crazy "
    "common major final perfect pretty"
)
"""Together with an article before them they wait for a noun."""
RELATIONS = _words(
    "capital meaning difference population definition distance price author purpose result cause opposite"
)
"""Nouns that mostly go on with "of" or "between"."""
PREPOSITIONS = _words(
    "of to for from with without about at by into onto between among against toward towards during despite per "
    "via upon within near in on regarding concerning through beside"
)
LOOSE_PREPOSITIONS = _words("before after since below above behind across under past")
"""Often adverbs; they tell nothing."""
STRANDING = _words(
    "you me it this that these those them him her us they he she we i one live lives come made look talk talking "
    "listen work interested afraid scared good fond proud famous play go belong is are was were up used called "
    "named"
)
"""Words after which a question may end with its preposition."""
PARTICLE_VERBS = {
    "on": _words(
        "turn switch put go going goes come hold hang carry move keep later try light lights lamp it them that from"
    ),
    "in": _words("come log sign check let plug fill join tune move count drop jump tuck"),
}
"""Verbs that end with what elsewhere is a preposition."""

BE = _words("is are was were am be been being isn't aren't wasn't weren't")
AUXILIARIES = BE | _words(
    "has have had do does did will would can could shall should may might must hasn't haven't hadn't don't "
    "doesn't didn't won't wouldn't can't cannot couldn't shouldn't gonna wanna gotta"
)
CONTRACTIONS = _words(
    "i'm you're he's she's it's we're they're that's there's here's i'll you'll he'll she'll it'll we'll they'll "
    "i've you've we've they've i'd you'd he'd she'd we'd they'd let's"
)
SUBJECTS = _words("i we they he she")
PRONOUNS = SUBJECTS | _words("you it")
QUESTIONS = _words("what who where which how why when whose whom what's who's where's how's when's why's")
ELLIPTIC_LEADS = QUESTIONS | _words("yes no yeah sure than as so whatever wherever neither of")
"""After one of these a sentence may end with its auxiliary: "yes i am", "what time it is"."""

UNSURE_LEADS = _words("think wish hope bet if")
"""After one of these it may."""
MEASURES = _words(
    "time old far many much long big often color colour kind sort day date year month city country type book "
    "movie film song tall high fast good bad size language word number"
)
"""With "what" or "how" before them they have only begun a question."""

THAT_CLAUSES = _words("think believe hope so sure means told said glad afraid say guess suppose mean thought")
OPINIONS = _words("think feel believe mean hope wonder guess suppose thought heard said wanted")
WANTING = _words(
    "want wants wanted need needs needed give tell bring let make makes take put set find buy remind called named "
    "means prefer say says saying feeling getting describe explain translate define"
)
"""Verbs that wait for their object."""
GIVING = _words("tell give show let bring get send teach remind make")
"""Verbs that wait for a second one after "me"."""
ERRANDS = _words("call buy get make take give bring tell see meet send write find put use ask")
"""Verbs that may wait for their object after "to"."""
DEGREES = _words("very quite rather extremely just only even usually almost such no")
QUANTITIES = _words("some any another more less enough")
"""May be followed by what they count."""
SO_ENDS = _words("think hope guess suppose say said believe that told why even ever not")
NOT_ENDS = _words("hope why course maybe certainly probably or absolutely definitely think guess")

SUBORDINATORS = _words("if unless although though while whenever when once after before since as")
MAIN_CLAUSES = _words(
    "then please tell what who how where can could will would should i'll we'll i'd you'll let remind"
)

VERBS = (
    AUXILIARIES
    | CONTRACTIONS
    | _words(
        "hurts works likes lives wants loves sounds looks seems feels smells goes makes died broke said went got "
        "came says knows needs has left fell won lost ran hate love like want need go know think"
    )
)

DIGITS = _words("zero one two three four five six seven eight nine oh double triple")
TEENS_AND_TENS = _words(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty "
    "sixty seventy eighty ninety hundred thousand"
)
DICTATED = _words("number phone code pin zip card account password extension digits mobile")
TIMED = _words("timer countdown")

# --- abbreviations, without their last period -------------------------------------------------------------------------

BEFORE_A_NAME = _words("dr mr mrs ms prof st mt rev hon gen col capt lt sgt sen rep gov pres fr messrs mme mlle")
"""With a capital, never the end of a sentence."""
NEVER_LAST = _words("vs cf viz")
BEFORE_A_FIGURE = _words("no nos p pp vol ch sec jan feb mar apr jun jul aug sep sept oct nov dec approx art")
"""Not the end of a sentence when a figure follows."""
PERHAPS_LAST = _words(
    "etc al fig eq ca inc ltd co corp jr sr dept est ave rd blvd ln approx min max hr hrs sec lb lbs oz ft a.m "
    "p.m u.s u.k u.n e.u d.c ph.d b.c a.d m.d mon tue tues wed thu thurs fri sat sun jan feb mar apr jun jul aug "
    "sep sept oct nov dec"
)
"""The end of a sentence only when no lower case follows."""
ABBREVIATIONS = BEFORE_A_NAME | NEVER_LAST | BEFORE_A_FIGURE | PERHAPS_LAST
