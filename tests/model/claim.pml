/* The claim protocol of the claimed lane: one job, two processors, one row. Run by check.sh.

   A statement is one step; what one statement reads and a later one uses is a step of its own. Any time may pass between two
   steps, so a process that is paused (SIGSTOP) and goes on with its old claim is in here. At most FAULTS things go wrong: a lost
   connection, a kill, a stop, a fence, a processor marked dead though it lives, a failed handler. After them the job must end.

   Left out: other jobs, order, ctids, clocks, waking up; attempts (a failed handler is retried or buried, either way); expiry; the
   direct lane (one transaction, nothing to fence); external handlers (their finish is fenced as a retry is); people.

   Macros break one rule each; check.sh says which property each must violate. The shortest way there:
   spin -search -i -ltl ends -DFAULTS=2 -DNO_STRAYS claim.pml; spin -t -p -g -DFAULTS=2 -DNO_STRAYS claim.pml */

#ifndef FAULTS
#define FAULTS 3
#endif
#define MAX_CRASHES 2
#define IDS (2 * FAULTS + 3) /* 0: none; the odd ones are the first processor's */

mtype = { FREE, HELD, DONE, LETTER } /* where the row is: in jobs, claimed or not, in finished_jobs, in dead_jobs */
/* Where a task is. RUN: its transaction is open; LOCK: its finish has hit the row; DOUBT: the reply of COMMIT was lost; RETRY,
   BURY: that is to be written; BACK: settled, in the inbox; OWED: not settled, to be given back. */
mtype = { NONE, RUN, LOCK, DOUBT, RETRY, BURY, BACK, OWED }
mtype = { CLAIM, CLAIM_SUSPECT, RELEASE, STRAYS }

mtype row = FREE;
byte token, by, crashes;
bool suspect;
bool locked;    /* by a finish that has not committed */
bool live[IDS]; /* in processors and not marked dead */
byte faults = FAULTS;
byte effects;   /* of handlers, committed */
bool stolen;    /* a claim was ended by other than its owner, or the rescue of its dead owner */
bool lied;      /* a job was reported as done, and was not; see TOLD */

typedef Task {
  mtype at;
  byte token, id;
  bool abandoned;
  mtype lost;         /* what the server may still do for a connection that this runner has lost */
  byte lost_token, lost_id;
}
typedef Processor {
  byte id;            /* Membership's */
  byte was;           /* that of a process that was killed, until somebody marks it */
  byte turn;          /* what the dispatcher has read for this turn; 0: it is between two */
  bool fenced, unsure, stopping;
  Task task[2];       /* of one job: an old one may not have come back when it is claimed again */
  mtype lost;         /* as in Task, of the dispatcher's connection */
  byte lost_token[2], lost_id;
}
Processor processor[2];

#define me processor[s]
#define my processor[s].task[i]
#define other processor[s].task[1 - i]
#define MINE(k, p) (row == HELD && token == (k) && by == (p))
#define ENDED (row == DONE || row == LETTER)
#define FLIES(i) (me.task[i].at != NONE && me.task[i].at != OWED)
#define IN_FLIGHT (FLIES(0) || FLIES(1))
#define FIRST (token || s == 0) /* both are alike: the first claim is the first one's */

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

#ifdef FINISH_UNCHECKED
#define FINISH_HIT_NOTHING effects++
#else
#define FINISH_HIT_NOTHING skip
#endif

/* What a search for strays does not take: what is in flight. */
#ifdef KNOWN_BY_ID
#define KNOWN(i) (255 * IN_FLIGHT)
#define STRAY(k, l, p) (row == HELD && by == (p) && (k) == 0 && !locked)
#else
#define KNOWN(i) (me.task[i].token * FLIES(i))
#define STRAY(k, l, p) (row == HELD && by == (p) && token != (k) && token != (l) && !locked)
#endif
/* When it may end. Assumed of statement_timeout and kStraysLook: by then the server has ended the claim. */
#ifdef STRAYS_EARLY
#define SEARCHED true
#else
#define SEARCHED (me.lost != CLAIM && me.lost != CLAIM_SUSPECT)
#endif

inline join() { me.id = me.id + 2; live[me.id] = true }
inline drop(i) { me.task[i].at = NONE; me.task[i].token = 0; me.task[i].id = 0; me.task[i].abandoned = false }
inline lose_run(i) { me.task[i].lost = me.task[i].at; me.task[i].lost_token = me.task[i].token; me.task[i].lost_id = me.task[i].id }
inline drop_lost_run() { my.lost = NONE; my.lost_token = 0; my.lost_id = 0 }
inline lose(what, k, k2, p) { me.lost = what; me.lost_token[0] = k; me.lost_token[1] = k2; me.lost_id = p }
inline lose_claim() {
  if
  :: suspect -> lose(CLAIM_SUSPECT, 0, 0, me.turn)
  :: else -> lose(CLAIM, 0, 0, me.turn)
  fi
}
inline drop_lost() { lose(NONE, 0, 0, 0) }

inline take(p) {
  row = HELD; by = p;
#ifndef CLAIM_KEEPS_TOKEN
  token++
#endif
}
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
inline verdict(what, k, p) {
  if
  :: MINE(k, p) && what == RETRY -> free_row(); suspect = false
  :: MINE(k, p) && what == BURY -> bury_row()
  :: else
  fi
}

inline kill_task(i) {
  if
  :: my.lost == NONE && (my.at == RUN || my.at == LOCK || my.at == RETRY || my.at == BURY) -> lose_run(i)
  :: my.at == LOCK -> locked = false
  :: my.at != LOCK
  fi;
  drop(i)
}

/* engine/runner, engine/settler, store/run. */
proctype Runner(byte s, i) {
  do
  :: d_step { my.at == RUN && !locked && FINISH(my.token, my.id) -> lock_row(my.token, my.id); my.at = LOCK }
  :: d_step { my.at == RUN && !locked && !FINISH(my.token, my.id) -> FINISH_HIT_NOTHING; my.at = BACK }
  :: d_step { my.at == LOCK -> commit(); my.at = BACK }
  /* The finish travels with COMMIT. */
  :: d_step { (my.at == RUN || my.at == LOCK) && faults && my.lost == NONE -> faults--; lose_run(i); my.at = DOUBT }
#ifdef LOST_IS_FAILED
  /* Put back by id, as where the row stays and a column says that it is done. */
  :: d_step { my.at == DOUBT && !locked -> free_row(); my.at = BACK }
#else
  :: d_step { my.at == DOUBT && MINE(my.token, my.id) -> my.at = RUN }
  :: d_step { my.at == DOUBT && !MINE(my.token, my.id) ->
#ifdef TOLD
       lied = lied || effects == 0;
#endif
       my.at = BACK }
#endif
  :: d_step { my.at == RUN && faults -> faults--; my.at = RETRY }
  :: d_step { my.at == RUN && faults -> faults--; my.at = BURY }
  :: d_step { (my.at == RETRY || my.at == BURY) && !locked -> verdict(my.at, my.token, my.id); my.at = BACK }
  :: d_step { (my.at == RETRY || my.at == BURY) && faults && my.lost == NONE -> faults--; lose_run(i) }
  :: d_step { my.abandoned && (my.at == RUN || my.at == DOUBT || my.at == RETRY || my.at == BURY) -> my.at = OWED }
  od
}

/* The server, for a runner's lost connection: it does what was sent, or undoes it. */
proctype RunnerLost(byte s, i) {
  do
  :: d_step { my.lost != NONE && my.lost != LOCK -> drop_lost_run() }
  :: d_step { my.lost == LOCK -> locked = false; drop_lost_run() }
  :: d_step { my.lost == LOCK -> commit(); drop_lost_run() }
  :: d_step { my.lost == RUN && !locked && FINISH(my.lost_token, my.lost_id) -> lock_row(my.lost_token, my.lost_id); my.lost = LOCK }
  :: d_step { my.lost == RUN && !locked && !FINISH(my.lost_token, my.lost_id) -> FINISH_HIT_NOTHING; drop_lost_run() }
  :: d_step { (my.lost == RETRY || my.lost == BURY) && !locked -> verdict(my.lost, my.lost_token, my.lost_id); drop_lost_run() }
  od
}

/* engine/dispatcher: what it does with one task. */
proctype Inbox(byte s, i) {
  do
  :: d_step { my.at == BACK -> drop(i) }
#ifdef RELEASE_BY_FIRST
  /* One statement for all, which looks up a token by the job's id. */
  :: d_step { my.at == OWED && other.at == OWED && my.id == other.id && !locked -> release(my.token, my.id); drop(i); drop(1 - i) }
  :: d_step { my.at == OWED && !(other.at == OWED && my.id == other.id) && !locked -> release(my.token, my.id); drop(i) }
#else
  :: d_step { my.at == OWED && !locked -> release(my.token, my.id); drop(i) }
#endif
  :: d_step { my.at == OWED && faults && me.lost == NONE -> faults--; lose(RELEASE, my.token, 0, my.id) }
  :: d_step { FLIES(i) && me.stopping && !my.abandoned && my.at != BACK -> my.abandoned = true }
  /* The grace is over, and its handler goes on: the process exits with the finish sent. */
  :: d_step { my.abandoned && me.stopping && (my.at == RUN || my.at == LOCK) && my.lost == NONE -> lose_run(i); my.at = OWED }
  od
}

/* engine/dispatcher: the loop. A turn begins with the id, which its statements use. */
proctype Dispatcher(byte s) {
  do
  :: d_step { me.fenced && !me.stopping && me.turn == 0 ->
       me.fenced = false;
       me.task[0].abandoned = FLIES(0) && me.task[0].at != BACK;
       me.task[1].abandoned = FLIES(1) && me.task[1].at != BACK }
  :: d_step { me.turn == 0 && !me.fenced && !me.stopping && (row == FREE || me.unsure && !ENDED) -> me.turn = me.id }
  :: d_step { me.turn && (ENDED || row == HELD && !me.unsure) -> me.turn = 0 }
#ifndef NO_STRAYS
  :: d_step { me.turn && me.unsure && STRAY(KNOWN(0), KNOWN(1), me.turn) -> release_strays(KNOWN(0), KNOWN(1), me.turn); me.turn = 0 }
  :: d_step { me.turn && me.unsure && STRAY(KNOWN(0), KNOWN(1), me.turn) && faults && me.lost == NONE ->
       faults--; lose(STRAYS, KNOWN(0), KNOWN(1), me.turn); me.turn = 0 }
  :: d_step { me.turn && me.unsure && SEARCHED ->
       release_strays(KNOWN(0), KNOWN(1), me.turn); me.unsure = false; me.turn = 0 }
#endif
  :: d_step { me.turn && row == FREE && !locked && FIRST && !(suspect && IN_FLIGHT) && me.task[0].at == NONE ->
       take(me.turn); me.task[0].at = RUN; me.task[0].token = token; me.task[0].id = me.turn; me.turn = 0 }
  :: d_step { me.turn && row == FREE && !locked && FIRST && !(suspect && IN_FLIGHT) && me.task[0].at != NONE && me.task[1].at == NONE ->
       take(me.turn); me.task[1].at = RUN; me.task[1].token = token; me.task[1].id = me.turn; me.turn = 0 }
  :: d_step { me.turn && row == FREE && !(suspect && IN_FLIGHT) && faults && me.lost == NONE ->
       faults--; lose_claim(); me.unsure = true; me.turn = 0 }
  /* A graceful stop, and then a new process. What could not be given back is left to the rescue: the row of processors is deleted
     or marked dead, and either way its id is not live. */
  :: d_step { faults && !me.stopping && me.turn == 0 && !ENDED -> faults--; me.stopping = true }
  :: d_step { me.stopping && !IN_FLIGHT ->
       live[me.id] = false; join(); me.stopping = false; me.unsure = false; me.fenced = false; drop(0); drop(1) }
  od
}

/* The server, for a dispatcher's lost connection. */
proctype DispatcherLost(byte s) {
  do
  :: d_step { me.lost != NONE -> drop_lost() }
  :: d_step { me.lost == CLAIM && row == FREE && !suspect && !locked && FIRST -> take(me.lost_id); drop_lost() }
  :: d_step { me.lost == CLAIM_SUSPECT && row == FREE && suspect && !locked -> take(me.lost_id); drop_lost() }
  :: d_step { me.lost == RELEASE && !locked -> release(me.lost_token[0], me.lost_id); drop_lost() }
  :: d_step { me.lost == STRAYS && !locked -> release_strays(me.lost_token[0], me.lost_token[1], me.lost_id); drop_lost() }
  od
}

/* engine/membership, store/presence. */
proctype Membership(byte s) {
  do
#ifndef SAME_ID
  :: d_step { !live[me.id] -> join(); me.fenced = true }
#endif
  /* By another: its heartbeat is late or its session lock is gone. */
  :: d_step { faults && live[me.id] && !ENDED -> faults--; live[me.id] = false }
  :: d_step { me.was -> live[me.was] = false; me.was = 0 }
  /* By itself: no heartbeat has succeeded for too long. */
  :: d_step { faults && IN_FLIGHT && !me.fenced && !ENDED -> faults--; me.fenced = true }
  /* kill -9 and a new process. What it had sent may still be done. */
  :: atomic { faults && me.was == 0 && !ENDED ->
       faults--;
       me.was = me.id;
       kill_task(0); kill_task(1);
       if
       :: me.turn && me.lost == NONE && row == FREE && !(suspect && IN_FLIGHT) -> lose_claim()
       :: skip
       fi;
       join(); me.turn = 0; me.fenced = false; me.unsure = false; me.stopping = false }
  od
}

/* engine/maintenance, store/presence: one statement, whichever processor sends it. */
inline rescue() {
  if
  :: crashes + 1 >= MAX_CRASHES -> bury_row()
  :: else -> free_row(); token++; suspect = true
  fi;
  crashes++
}
proctype Rescue() {
  bool buries;
  do
#ifdef RESCUE_TWO_STEPS
  /* What the first read the second writes by id. */
  :: d_step { row == HELD && !live[by] -> buries = crashes + 1 >= MAX_CRASHES };
     d_step { !locked && (row == FREE || row == HELD || buries) -> stolen = stolen || (row == HELD && live[by]); rescue(); buries = false }
#else
  :: d_step { row == HELD && !live[by] && !locked -> rescue() }
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

ltl once { [] (effects <= 1) }
ltl finished { [] (row == DONE -> effects == 1) }
ltl owner { [] !stolen }
ltl letter { [] (row == LETTER -> effects == 0) }
ltl crashed { [] (crashes <= MAX_CRASHES) }
/* The last claim is under a live id. */
ltl rejoins { <> [] (live[processor[0].id] && live[processor[1].id]) }
/* Not claimed for ever, by a dead processor or a living one. */
ltl ends { <> ENDED }
ltl charged { [] (crashes <= FAULTS - faults) }
#ifdef TOLD
ltl told { [] !lied }
#endif
