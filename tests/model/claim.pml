/* The claim protocol of the claimed lane: one job, two processors, one row. Checked by check.sh.

   A statement is one step; what one statement reads and a later one uses is a step of its own. Any time may pass between two
   steps, so a process that is paused (SIGSTOP) and goes on with its old claim is in here. At most FAULTS things go wrong: a lost
   connection, a kill, a stop, a fence, a processor marked dead though it lives, a failed handler. After them the job must end.

   Left out: other jobs, order, ctids, clocks, waking up; attempts (a failed handler is retried or buried, either way); expiry;
   people; the direct lane (one transaction, nothing to fence); external handlers (their finish is fenced as a retry is).

   Each macro breaks one rule; check.sh says which property must then fail. */

#ifndef FAULTS
#define FAULTS 3
#endif
#define MAX_CRASHES 2
#define IDS (2 * FAULTS + 3) /* 0: none; the odd ones are the first processor's */

mtype = { FREE, HELD, DONE, LETTER } /* where the row is: in jobs, claimed or not, in finished_jobs, in dead_jobs */
/* Where a task is. RUN: its transaction is open; LOCK: its finish has hit the row; DOUBT: no reply to its COMMIT; RETRY, BURY:
   that is to be written; BACK: settled, in the inbox; OWED: not settled, to be given back. */
mtype = { NONE, RUN, LOCK, DOUBT, RETRY, BURY, BACK, OWED }
mtype = { CLAIM, CLAIM_SUSPECT, RELEASE, STRAYS } /* statements of a dispatcher */

mtype row = FREE;
byte token, by, crashes;
bool suspect;
bool locked;    /* by a finish that has not committed */
bool live[IDS]; /* in processors, and not marked dead */
byte faults = FAULTS;
byte effects;   /* of handlers, committed */
bool stolen;    /* a claim was ended by other than its owner, or the rescue of its dead owner */
bool lied;      /* a job was reported as done, and was not */

typedef Task {
  mtype at;
  byte token, id;
  bool abandoned;
  mtype lost;   /* what the server may still do for a connection that the runner has lost */
  byte lost_token, lost_id;
}
typedef Processor {
  byte id;      /* Membership's */
  byte was;     /* that of a process that was killed, until somebody marks it */
  byte turn;    /* the id that the dispatcher has read for this turn; 0: between two turns */
  bool fenced, unsure, stopping;
  Task task[2]; /* an old one may not have come back when the same job is claimed again */
  mtype lost;   /* as in Task, for the dispatcher */
  byte lost_token[2], lost_id;
}
Processor processor[2];

#define me processor[s]
#define my processor[s].task[i]
#define other processor[s].task[1 - i]
#define MINE(k, p) (row == HELD && token == (k) && by == (p))
#define ENDED (row == DONE || row == LETTER)
#define FLIES(n) (me.task[n].at != NONE && me.task[n].at != OWED)
#define ALONE (!FLIES(0) && !FLIES(1))
#define CLAIMABLE (row == FREE && !(suspect && !ALONE))
#define FIRST (token || s == 0) /* both are alike: let the first claim be the first one's */

/* What finish_job matches. */
#if defined(FINISH_BY_ID)
#define FINISH(k, p) (row == FREE || row == HELD)
#elif defined(FINISH_BY_STATE)
#define FINISH(k, p) (row == HELD)
#elif defined(FINISH_BY_PROCESSOR)
#define FINISH(k, p) (row == HELD && by == (p))
#elif defined(FINISH_BY_TOKEN)
#define FINISH(k, p) ((row == FREE || row == HELD) && token == (k))
#else
#define FINISH(k, p) MINE(k, p)
#endif
/* When it hits nothing, what the handler wrote is undone. */
#ifdef FINISH_UNCHECKED
#define HIT_NOTHING effects++
#else
#define HIT_NOTHING skip
#endif

/* A search for strays leaves what is in flight. */
#ifdef KNOWN_BY_ID
#define KNOWN(n) (1 - ALONE)
#define STRAY(k, k2, p) (row == HELD && by == (p) && !(k) && !locked)
#else
#define KNOWN(n) (me.task[n].token * FLIES(n))
#define STRAY(k, k2, p) (row == HELD && by == (p) && token != (k) && token != (k2) && !locked)
#endif
/* When it may end. Assumed: statement_timeout and kStraysLook later the server has ended the claim. */
#ifdef STRAYS_EARLY
#define SEARCHED true
#else
#define SEARCHED (me.lost != CLAIM && me.lost != CLAIM_SUSPECT)
#endif

inline join() { me.id = me.id + 2; live[me.id] = true }
inline drop(n) { me.task[n].at = NONE; me.task[n].token = 0; me.task[n].id = 0; me.task[n].abandoned = false }
inline lose_run(n) {
  me.task[n].lost = me.task[n].at; me.task[n].lost_token = me.task[n].token; me.task[n].lost_id = me.task[n].id
}
inline drop_lost_run() { my.lost = NONE; my.lost_token = 0; my.lost_id = 0 }
inline lose(what, k, k2, p) { me.lost = what; me.lost_token[0] = k; me.lost_token[1] = k2; me.lost_id = p }
inline drop_lost() { lose(NONE, 0, 0, 0) }
inline lose_claim() {
  if
  :: suspect -> lose(CLAIM_SUSPECT, 0, 0, me.turn)
  :: else -> lose(CLAIM, 0, 0, me.turn)
  fi
}
inline kill_task(n) {
  if
  :: me.task[n].lost == NONE && (me.task[n].at == RUN || me.task[n].at == LOCK) -> lose_run(n)
  :: me.task[n].lost == NONE && (me.task[n].at == RETRY || me.task[n].at == BURY) -> lose_run(n)
  :: me.task[n].at == LOCK -> locked = false
  :: me.task[n].at != LOCK
  fi;
  drop(n)
}

inline take(p) { row = HELD; token++; by = p }
inline receive(n) { take(me.turn); me.task[n].at = RUN; me.task[n].token = token; me.task[n].id = me.turn; me.turn = 0 }
inline free_row() { row = FREE; by = 0 }
inline bury_row() { row = LETTER; by = 0; suspect = false }
inline lock_row(k, p) { stolen = stolen || !MINE(k, p); locked = true }
inline commit() { effects++; row = DONE; by = 0; suspect = false; locked = false }
inline release(k, p) {
  if
  :: MINE(k, p) -> free_row(); token++
  :: else
  fi
}
inline release_strays(k, k2, p) {
  if
  :: STRAY(k, k2, p) -> free_row(); token++
  :: else
  fi
}
inline settle(what, k, p) {
  if
  :: MINE(k, p) && what == RETRY -> free_row(); suspect = false
  :: MINE(k, p) && what == BURY -> bury_row()
  :: else
  fi
}
inline rescue() {
  if
  :: crashes + 1 >= MAX_CRASHES -> bury_row()
  :: else -> free_row(); token++; suspect = true
  fi;
  crashes++
}

/* engine/runner, engine/settler, store/run. */
proctype Runner(byte s, i) {
  do
  :: atomic { my.at == RUN && !locked && FINISH(my.token, my.id) -> lock_row(my.token, my.id); my.at = LOCK }
  :: atomic { my.at == RUN && !locked && !FINISH(my.token, my.id) -> HIT_NOTHING; my.at = BACK }
  :: atomic { my.at == LOCK -> commit(); my.at = BACK }
  /* The finish travels with COMMIT. */
  :: atomic { (my.at == RUN || my.at == LOCK) && faults && my.lost == NONE -> faults--; lose_run(i); my.at = DOUBT }
#ifdef LOST_IS_FAILED
  /* Put back by id, as where the row stays and a column says that it is done. */
  :: atomic { my.at == DOUBT && !locked -> free_row(); my.at = BACK }
#else
  :: atomic { my.at == DOUBT && MINE(my.token, my.id) -> my.at = RUN }
  :: atomic { my.at == DOUBT && !MINE(my.token, my.id) ->
#ifdef TOLD
       lied = lied || effects == 0;
#endif
       my.at = BACK }
#endif
  :: atomic { my.at == RUN && faults -> faults--; my.at = RETRY }
  :: atomic { my.at == RUN && faults -> faults--; my.at = BURY }
  :: atomic { (my.at == RETRY || my.at == BURY) && !locked -> settle(my.at, my.token, my.id); my.at = BACK }
  :: atomic { (my.at == RETRY || my.at == BURY) && faults && my.lost == NONE -> faults--; lose_run(i) }
  :: atomic { my.abandoned && (my.at == RUN || my.at == DOUBT || my.at == RETRY || my.at == BURY) -> my.at = OWED }
  od
}

/* The server, for a runner that has gone: it does what was sent, or undoes it. */
proctype RunnerLost(byte s, i) {
  do
  :: atomic { my.lost != NONE && my.lost != LOCK -> drop_lost_run() }
  :: atomic { my.lost == LOCK -> locked = false; drop_lost_run() }
  :: atomic { my.lost == LOCK -> commit(); drop_lost_run() }
  :: atomic { my.lost == RUN && !locked && FINISH(my.lost_token, my.lost_id) -> lock_row(my.lost_token, my.lost_id); my.lost = LOCK }
  :: atomic { my.lost == RUN && !locked && !FINISH(my.lost_token, my.lost_id) -> HIT_NOTHING; drop_lost_run() }
  :: atomic { (my.lost == RETRY || my.lost == BURY) && !locked -> settle(my.lost, my.lost_token, my.lost_id); drop_lost_run() }
  od
}

/* engine/dispatcher: take_back, give_back and drain, for one task. */
proctype Inbox(byte s, i) {
  do
  :: atomic { my.at == BACK -> drop(i) }
#ifdef RELEASE_BY_FIRST
  /* One statement for both, which looks up the token by the job's id. */
  :: atomic { my.at == OWED && other.at == OWED && my.id == other.id && !locked -> release(my.token, my.id); drop(i); drop(1 - i) }
  :: atomic { my.at == OWED && !(other.at == OWED && my.id == other.id) && !locked -> release(my.token, my.id); drop(i) }
#else
  :: atomic { my.at == OWED && !locked -> release(my.token, my.id); drop(i) }
#endif
  :: atomic { my.at == OWED && faults && me.lost == NONE -> faults--; lose(RELEASE, my.token, 0, my.id) }
  :: atomic { me.stopping && FLIES(i) && my.at != BACK && !my.abandoned -> my.abandoned = true }
  /* A handler that goes on after the grace time: the process exits, with the finish sent. */
  :: atomic { me.stopping && my.abandoned && (my.at == RUN || my.at == LOCK) && my.lost == NONE -> lose_run(i); my.at = OWED }
  od
}

/* engine/dispatcher: turn. It begins with the id, which its statements then use. */
proctype Dispatcher(byte s) {
  do
  :: atomic { me.fenced && !me.stopping && me.turn == 0 ->
       me.fenced = false;
       me.task[0].abandoned = FLIES(0) && me.task[0].at != BACK;
       me.task[1].abandoned = FLIES(1) && me.task[1].at != BACK }
  :: atomic { me.turn == 0 && !me.fenced && !me.stopping && (row == FREE || me.unsure && !ENDED) -> me.turn = me.id }
  :: atomic { me.turn && (ENDED || row == HELD && !me.unsure) -> me.turn = 0 }
#ifndef NO_STRAYS
  :: atomic { me.turn && me.unsure && STRAY(KNOWN(0), KNOWN(1), me.turn) ->
       release_strays(KNOWN(0), KNOWN(1), me.turn); me.turn = 0 }
  :: atomic { me.turn && me.unsure && STRAY(KNOWN(0), KNOWN(1), me.turn) && faults && me.lost == NONE ->
       faults--; lose(STRAYS, KNOWN(0), KNOWN(1), me.turn); me.turn = 0 }
  :: atomic { me.turn && me.unsure && SEARCHED ->
       release_strays(KNOWN(0), KNOWN(1), me.turn); me.unsure = false; me.turn = 0 }
#endif
  :: atomic { me.turn && CLAIMABLE && !locked && FIRST && me.task[0].at == NONE -> receive(0) }
  :: atomic { me.turn && CLAIMABLE && !locked && FIRST && me.task[0].at != NONE && me.task[1].at == NONE -> receive(1) }
  :: atomic { me.turn && CLAIMABLE && faults && me.lost == NONE -> faults--; lose_claim(); me.unsure = true; me.turn = 0 }
  /* A graceful stop, and then a new process. Claims that it could not give back are left to the rescue. Its row is deleted, or
     marked dead: either way the id is not live. */
  :: atomic { faults && !me.stopping && me.turn == 0 && !ENDED -> faults--; me.stopping = true }
  :: atomic { me.stopping && ALONE ->
       live[me.id] = false; join(); me.stopping = false; me.unsure = false; me.fenced = false; drop(0); drop(1) }
  od
}

/* The server, for a dispatcher that has gone. */
proctype DispatcherLost(byte s) {
  do
  :: atomic { me.lost != NONE -> drop_lost() }
  :: atomic { me.lost == CLAIM && row == FREE && !suspect && !locked && FIRST -> take(me.lost_id); drop_lost() }
  :: atomic { me.lost == CLAIM_SUSPECT && row == FREE && suspect && !locked -> take(me.lost_id); drop_lost() }
  :: atomic { me.lost == RELEASE && !locked -> release(me.lost_token[0], me.lost_id); drop_lost() }
  :: atomic { me.lost == STRAYS && !locked -> release_strays(me.lost_token[0], me.lost_token[1], me.lost_id); drop_lost() }
  od
}

/* engine/membership, store/presence. */
proctype Membership(byte s) {
  do
#ifndef SAME_ID
  :: atomic { !live[me.id] -> join(); me.fenced = true }
#endif
  /* By another: its heartbeat is late, or its session lock is gone. */
  :: atomic { faults && live[me.id] && !ENDED -> faults--; live[me.id] = false }
  :: atomic { me.was -> live[me.was] = false; me.was = 0 }
  /* By itself: no heartbeat has succeeded for too long. */
  :: atomic { faults && !ALONE && !me.fenced && !ENDED -> faults--; me.fenced = true }
  /* kill -9, and a new process. What was sent may still be done. */
  :: atomic { faults && me.was == 0 && !ENDED ->
       faults--;
       me.was = me.id;
       if
       :: me.turn && me.lost == NONE && CLAIMABLE -> lose_claim()
       :: skip
       fi;
       kill_task(0); kill_task(1);
       join(); me.turn = 0; me.fenced = false; me.unsure = false; me.stopping = false }
  od
}

/* engine/maintenance, store/presence: one statement, whoever sends it. */
proctype Rescue() {
  bool buries;
  do
#ifdef RESCUE_TWO_STEPS
  /* The second writes by id what the first has read. */
  :: atomic { row == HELD && !live[by] -> buries = crashes + 1 >= MAX_CRASHES };
     atomic { !locked && (!ENDED || buries) -> stolen = stolen || row == HELD && live[by]; rescue(); buries = false }
#else
  :: atomic { row == HELD && !live[by] && !locked -> rescue() }
#endif
  od
}

init {
  byte s, i;
  atomic {
    for (s : 0 .. 1) {
      me.id = s + 1; live[s + 1] = true; me.lost = NONE;
      for (i : 0 .. 1) {
        my.at = NONE; my.lost = NONE;
        run Runner(s, i); run RunnerLost(s, i); run Inbox(s, i)
      }
      run Dispatcher(s); run DispatcherLost(s); run Membership(s)
    }
    run Rescue()
  }
}

#define ONCE (effects <= 1)
#define FINISHED (row != DONE || effects == 1)
#define LETTERS (row != LETTER || effects == 0)
#define CRASHED (crashes <= MAX_CRASHES)

ltl once { [] ONCE }
ltl finished { [] FINISHED }   /* in the history: it took effect */
ltl letter { [] LETTERS }      /* a dead letter did not */
ltl owner { [] !stolen }
ltl crashed { [] CRASHED }
ltl ends { <> ENDED }          /* not claimed for ever, neither by the dead nor by the living */
ltl rejoins { <> [] (live[processor[0].id] && live[processor[1].id]) } /* whoever was marked dead goes on under another id */

ltl safe { [] (ONCE && FINISHED && LETTERS && !stolen && CRASHED) }

/* What is not promised. */
#ifdef TOLD
ltl told { [] !lied } /* a lost COMMIT that did not happen, and a rescue before the look at the row, are reported as done */
#endif
ltl charged { [] (crashes <= FAULTS - faults) } /* until it knows that it was marked dead, what it claims is charged as well */
