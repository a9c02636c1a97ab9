"""English words of complaint, praise and leaving, as customers of shops and services write them.

Judged by hand, one strength per line: 1 is the worst or best that people say, 0.3 barely a leaning. `*` stands for any
ending of a word. A phrase is matched before its words, so 'no reply' needs no rule of negation.
"""

COMPLAINTS: dict[float, str] = {
    1.0: """
        worst; horribl*; terribl*; awful*; appalling*; disgust*; scam; scammed; scammers; fraud*; ripped off; rip off;
        rubbish; crap; crappy; shit*; hate; hated; hates; unacceptable; unbearabl*; disgrace*; outrag*; furious;
        useless; garbage; nightmare; atrocious; abysmal; pathetic; incompeten*; liar*; thieves; stole; sue; lawsuit;
        waste of money; waste of time; never again; disaster*; a joke; stay away; avoid
    """,
    0.8: """
        bad; badly; angry; disappoint*; frustrat*; unhappy; dissatisf*; rude; rudely; ignored; ignores; ignoring;
        annoy*; unprofessional; unreliable; poor; poorly; misled; misleading; lied; lying; dishonest; deceiv*;
        cheated; broken; broke; shattered; cracked; smashed; defective; faulty; ruined; rotten; filthy; dirty; unsafe;
        dangerous; never arriv*; never came; never received; never deliver*; never got; not arriv*; not received;
        not deliver*; hasn't arrived; haven't received; has not arrived; didn't arrive; did not arrive; no reply;
        no replies; no response; no answer; nobody answer*; no one answer*; nobody repl*; no one repl*; nobody call*;
        no one call*; nobody care*; no one care*; don't care; doesn't care; did not care; still waiting; kept waiting;
        waited for weeks; waited weeks; hung up on; complain*; unfair*; insult*; overcharg*; charged twice;
        double charged; wrongly charged; not worth; ashamed; regret*; let down; fed up; sick of; tired of; shoddy;
        ridiculous; boring; bored; inexcusable; hopeless; miserabl*
    """,
    0.6: """
        problem*; issue*; error*; mistake*; wrong; wrongly; fail*; damage*; missing; lost; late; delay*; slow; slowly;
        overdue; unresolved; unsolved; doesn't work; does not work; didn't work; did not work; not working;
        isn't working; wasn't working; stopped working; doesn't respond; not responding; not turning on; won't start;
        will not start; crash*; bug; bugs; buggy; stuck; freez*; froze; frozen; malfunction*; overheat*; leak*;
        overpriced; too expensive; expensive; pricey; costly; hidden fee*; incorrect*; inaccurat*; inconvenien*;
        difficult*; confus*; complicated; unclear; uncomfortabl*; unhelpful; unfriendly; impolite; careless*; messy;
        stale; worse; worsen*; weak; cheaply made; falls apart; fell apart; fall apart; scratched; stain*; dent;
        dented; smelly; stink*; stank; noisy; loud; too small; too big; too tight; too short; too long; too slow;
        too late; not suitable; unsuitable; not as described; not what i ordered; mess; fiasco; hassle; trouble*;
        suffer*; worr*; upset; sad; pity; painful; pain; hurt; hurts; refus*; denied; reject*; multiple times;
        over and over; again and again; for the third time; several times; missing part*
    """,
    0.4: """
        unfortunately; sadly; can't; cannot; cant; unable; unusual; unexpected; lack*; lacking; not enough; too much;
        too many; too few; hard to; refund*; money back; replacement; return it; send back; sent back; escalat*;
        urgent; urgently; asap; immediately; concern*; doubt*; cheap; average; mediocre; meh; so so; not sure;
        drawback*; downside*; inconsisten*; intermittent*; sometimes fails; outdated; old stock; limited; shame;
        short of; waiting; waited
    """,
}
PRAISE: dict[float, str] = {
    1.0: """
        excellent; outstanding; amazing*; awesome; fantastic*; wonderful*; superb*; perfect; perfectly; brilliant*;
        love; loved; loves; loving; best; exceptional*; incredible; incredibly good; fabulous*; flawless*; thrilled;
        delighted; delight*; magnificent; marvellous; marvelous; exceeded; exceeds; five stars; 5 stars; superior;
        impeccabl*; second to none; couldn't be better; could not be better; above and beyond
    """,
    0.8: """
        great; happy; happily; pleased; pleasant*; pleasure; satisf*; impress*; beautiful*; gorgeous; lovely; enjoy*;
        recommend*; highly recommend*; delicious; tasty; friendly; kind; kindly helped; generous*; professional*;
        helpful; helpfully; caring; reliable; reliably; trustworth*; high quality; good quality; top quality; quick;
        quickly; fast; prompt*; speedy; efficient*; effortless*; well made; well packed; well done; works great;
        works perfectly; works well; worked well; fun; inspir*; inform*; elegant*; stylish; comfort*; cosy; cozy;
        loyal; favourite; favorite; worth it; worth every; good value; bargain; buy again; order again; come back;
        coming back; will return; stay with; keep it up; no complaints; nothing to complain; can't complain;
        no problem; no problems; no issues; no trouble; without problems; without any problem*; refresh*; proud
    """,
    0.6: """
        good; nice; nicely; easy; easily; smooth*; simple; clear; clearly; useful; handy; convenient*; polite*;
        courteous*; attentive*; patient; knowledgeable; responsive; accurate*; on time; in time; early; clean; fresh;
        neat; neatly; tidy; safe; safely; sturdy; solid; durable; soft; warm; bright; better; improv*; solved; fixed;
        resolved; sorted; helped; helps; works now; appreciat*; grateful; thankful; glad; like it; liked; likes; fair;
        affordable; reasonabl*; welcom*; honest*; natural; creativ*; smart; well organised; well organized;
        as expected; as described; as promised; just right; fits well
    """,
    0.3: """
        ok; okay; fine; alright; acceptable; decent; adequate*; sufficient; not bad; thank you; thanks; thank;
        interesting; as usual; works; working fine; worked fine; received safely; cool
    """,
}
#: Whoever writes this wants to go, or is gone. All of them count as complaints of strength 1, too.
LEAVING = """
    cancel my subscription; cancel my account; cancel my membership; cancel my contract; cancel my plan;
    cancel our subscription; cancel our contract; cancel our account; cancel the subscription; cancel the contract;
    cancel the membership; cancelling my; canceling my; cancelled my subscription; canceled my subscription;
    cancelled my account; canceled my account; terminate my; terminate our; terminate the contract; close my account;
    closing my account; delete my account; deleting my account; end my subscription; end our contract; unsubscribe me;
    never again; never order* again; never buy* again; never use again; never shop* here; never coming back;
    never com* back; won't be back; will not be back; won't order again; will not order again; won't buy again;
    will not buy again; won't renew; will not renew; not renewing; don't want to renew; do not want to renew;
    not going to renew; last order; last time i; my last purchase; lost a customer; lost me as a customer;
    losing a customer; leaving you; i am leaving; i'm leaving; we are leaving; we're leaving; switching to;
    switch to another; switched to another; switch provider*; switching provider*; moving to another;
    moved to another; go elsewhere; going elsewhere; gone elsewhere; shop elsewhere; buy elsewhere;
    business elsewhere; to a competitor; to your competitor; to the competition; done with you;
    done with this company; no longer a customer; stop using your; stopped using your; no longer use; no longer using;
    no longer need your; cancellation of my; how do i cancel my; how to cancel my
"""
#: Courtesies and figures of speech that hold a known word and mean nothing by it.
NEUTRAL = """
    kind of; best regards; kind regards; best wishes; good morning; good day; good afternoon; good evening;
    would love; i'd love; would be great; would be nice; would be happy; best before; customer care;
    thank you in advance; thanks in advance; thanks for your help; thank you for your help; no later than
"""
