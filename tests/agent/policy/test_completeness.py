"""A table that a person can read: what was said, and whether more is to be expected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policy.completeness import judge

FINISHED = """
what's your name
tell me something about the moon
can you sing me a song
my day was long
what is your favourite food
i am learning to play the piano
please tell me a short story
i feel a bit lonely
it is cold outside
where am i
are you awake
you are very kind
i don't like that
i can't sleep
do you know any jokes
i am from germany
what kind of music do you like
talk to me
what can you tell me about yourself
can we talk
i have to go
why are you so quiet
what are you doing
this is nice
i would like to know what time it is
tell me what you think
me too
there is a bird in my garden
pretty good
sounds good
how about a story
do you want to hear a secret
can you repeat that
a little louder please
who won the game last night
how much is five times six
i was just thinking about you
it's my birthday
one more please
yes tell me more
thanks for your help
i wonder what that is
hello can you hear me
i think it's going to rain
come here
what is the tallest mountain
where did you come from
play the next song
i can hear you
what kind of music do you like
it is cold outside
tell me one more
what is your name
tell me a joke
i am feeling tired today
hello
hello parley
yes
no thank you
yes please
stop
stop talking
what time is it
how are you
how old are you
who are you
where are you from
what is it like
what do you want
what do you think
tell me about yourself
tell me a story about a dog
turn it off
turn on the light
turn the light on
i love you
thank you very much
good morning parley
what are you thinking about
can you hear me
can you help me
could you tell me a joke please
set a timer for ten minutes
what's the weather like
what is the weather like today
my name is john
i had a bad day at work
i don't know
i don't know what to do
what should i do
do you like music
what is two plus two
what can you do
what time it is
do you know what time it is
yes i am
yes i do
i think so
i hope not
why not
and you
how about you
i'm hungry
i'm going home
are you there
who is she
is it raining
what did you say
say that again
what is this
tell me more
sing a song
play some music
play music
next song please
let's talk about something else
i went to the park with my sister
it is raining
never mind
what happened
i feel sad
i'm not sure
if it rains i stay home
when i was young i lived in berlin
when is your birthday
how do you feel
how does it work
where do you live
what are you up to
what's going on
who are you talking to
can i ask you something
do you remember me
i would like you to tell me a story
okay so what is your name
please be quiet
what is the capital of france
Hello. What is your name?
Tell me a joke, please.
I need milk, eggs, and bread.
what is your favorite color
good night
my number is five five five one two three four five six seven
are you a robot
i am bored
give me an idea for dinner
i want to go to bed
you tell me
i like it
what else can you do
do you have any plans for the weekend
i think you are right
guess what
it's me
that is funny
recommend a book
remind me to call my mother
how far away is the moon
who wrote hamlet
why is the sky blue
i just came home from work
did you sleep well
no i am not
wake me up at seven
is there life on mars
tell me something nice
what would you like to talk about
make me laugh
i have a question
i need your help
it was nice talking to you
what do you know about me
i miss my dog
say something
Yes.
What's your name?
My name is Ann.
Turn it off!
ok what is your name
tell me a joke parley
I'm back.
"""
UNFINISHED = """
i would like to
and
um
because
the
tell me about the
i would like you to
i want
i want to
tell me
can you
could you please
what is
what is the
what is your
what is the capital of
i was going to
my number is five five
call five five five one two
so
well
let me think
hold on
i went to the store and
i went to the
i think that
i think
if it rains tomorrow
when i was young
do you know
what do you
how do you
i live in
i am interested in
is there
there are
who is
it is
i am
we were
my favorite color is
tell me a funny
i want a new
i feel like
set a timer for twenty
i need milk, eggs, bread
I was thinking...
I would like,
you know
and then
a lot of
how do i get to
what is the difference between
would you
did he
i really want
uh
hello um
i was wondering if
tell me about your
i am very
it's
he said that
give me the
how does it
could i
yes but
yes and
no i
please tell me
in the
what happened in
tell me what
i went with my
do you want to
the first thing i want to talk about is
what was the name of the
i have been
my sister and i
that is the most interesting
on monday i have to
can you tell me
and i
turn on the
I would like you to.
And then.
Tell me about the
my phone number is 555 12
"""
UNCLEAR = """
chocolate
a big dog
the weather in berlin
because i was tired
i don't want to
my lucky number is seven
the green one
have we met before
what are you
what
how
i don't
i think you are
play some
what is the capital
remind me to call
because it was late
my number is five five five one two three four
"""


def rows(table):
    return table.strip().splitlines()


@pytest.mark.parametrize("text", rows(FINISHED))
def test_this_is_finished(text):
    assert judge(text)[0] == "finished"


@pytest.mark.parametrize("text", rows(UNFINISHED))
def test_more_must_come_after_this(text):
    assert judge(text)[0] == "unfinished"


@pytest.mark.parametrize("text", ["", " ", "...", *rows(UNCLEAR)])
def test_this_tells_nothing(text):
    assert judge(text)[0] == "unclear"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("yes please", "short_answer"),
        ("i was um", "hesitation"),
        ("hold on", "thinking_aloud"),
        ("okay so", "opening"),
        ("I would like,", "open_mark"),
        ("five five one", "number"),
        ("I need milk, eggs, bread", "list"),
        ("you and", "conjunction"),
        ("tell me a funny", "determiner"),
        ("a lot of", "preposition"),
        ("what is", "auxiliary"),
        ("and i", "pronoun"),
        ("i really want", "open_verb"),
        ("i am very", "adverb"),
        ("tell me what", "question_begun"),
        ("could you please", "request_begun"),
        ("if it rains tomorrow", "subordinate_clause"),
        ("a big dog", "fragment"),
        ("what is your name", "question"),
        ("i love my dog", "whole_sentence"),
        ("", "no_words"),
    ],
)
def test_the_rule_that_decided_is_told(text, rule):
    assert judge(text)[1] == rule


@pytest.mark.parametrize("text", rows(FINISHED))
def test_punctuation_and_capitals_change_nothing_in_a_finished_sentence(text):
    sentence = text.rstrip(".!?")
    assert judge(f"{sentence[0].upper()}{sentence[1:]}.")[0] == "finished"


def test_only_the_last_sentence_counts():
    assert judge("I would like to. Tell me a joke.")[0] == "finished"
    assert judge("Tell me a joke. And then")[0] == "unfinished"


def test_a_language_without_rules_of_its_own_gets_the_english_ones():
    assert judge("tell me a joke", "xx") == judge("tell me a joke", "en-GB")


@given(st.text(max_size=40))
def test_any_words_get_a_judgement_that_never_quotes_them(text):
    completeness, rule, reason = judge(f"{text} zebra")
    assert completeness in {"finished", "unclear", "unfinished"}
    assert rule
    assert "zebra" not in reason
    assert not reason.endswith(".")
