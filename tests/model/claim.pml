/* The claim protocol of the claimed lane: one job, two processors, one row. Run by check.sh.

   A statement is one step; what one statement reads and a later one uses is a step of its own. Any time may pass between two
   steps, so a process that is stopped (SIGSTOP) and goes on with its old claim is in here. At most FAULTS things go wrong: a lost
   connection, a kill, a stop, a fence, a living processor marked dead, a failed handler. After the last one the job must end.

   Left out: more jobs, order, ctids, clocks, waking up; attempts (a failed handler is retried or buried, either way); the direct
   lane (one transaction, nothing to fence); external handlers (their finish is fenced as a retry is); people.

   Macros break one rule each; check.sh names the property that each must violate. */

#ifndef FAULTS
#define FAULTS 3
#endif
#define MAX_CRASHES 2
#define IDS (FAULTS + 3) /* 0: none; two to begin with, and one for each fault */

mtype = { FREE, HELD, DONE, LETTER };             /* where the row is; LETTER: in dead_jobs */
mtype = { NONE, QUEUED, RUN, LOCK, DOUBT, RETRY, BURY, BACK, OWED }; /* where a task is, see Slot */
mtype = { CLAIM, CLAIM_SUSPECT, RELEASE, STRAYS } /* statements, with RUN, LOCK, RETRY and BURY */

mtype row = FREE;
byte token, by, crashes;
bool suspect, locked;
bool live[IDS]; /* outbox.processors: registered and not marked dead */
byte last_id;
byte faults = FAULTS;
byte effects;   /* committed by handlers */
bool stolen;    /* a claim was ended by other than its owner, or the rescue of its dead owner */
#ifdef TOLD
bool lied;      /* a handler was told done, and the job was not */
#endif

/* One process. Statements whose connection was lost, one of each connection: the server may still do them, or not. */
typedef Slot {
  byte id;        /* Membership's */
  byte was;       /* that of a process that was killed, until somebody marks it */
  byte turn;      /* the id that the dispatcher has read for this turn */
  bool fenced, unsure, stopping;
  mtype task;     /* QUEUED; RUN: its transaction is open; LOCK: its finish has hit the row; DOUBT: no reply of COMMIT;
                     RETRY, BURY: to be written; BACK: in the inbox, settled; OWED: to be given back */
  byte task_token, task_id;
  bool abandoned;
  mtype lost;     /* of the dispatcher's connection */
  byte lost_token, lost_id;
  mtype lost_run; /* of the runner's connection */
  byte run_token, run_id;
}
Slot slot[2];

#define me slot[s]
#define MINE(k, p) (row == HELD && token == (k) && by == (p))
#define ENDED (row == DONE || row == LETTER)
#define IN_FLIGHT (me.task != NONE && me.task != OWED)

#if defined(FINISH_BY_ID) || defined(FINISH_UNCHECKED)
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

/* What a search for strays takes for its own, and not in flight. */
#ifdef KNOWN_BY_TOKEN
#define KNOWN (IN_FLIGHT -> me.task_token : 0)
#define STRAY(k, p) (row == HELD && by == (p) && token != (k) && !locked)
#else
#define KNOWN (IN_FLIGHT -> 255 : 0)
#define STRAY(k, p) (row == HELD && by == (p) && (k) == 0 && !locked)
#endif
/* When the search may end: statement_timeout and a second after the loss. Assumed: the server has ended the claim by then, and an
   old task of the same job is not in flight any more. */
#ifdef STRAYS_EARLY
#define SEARCHED true
#elif defined(RUNNER_LATE)
#define SEARCHED (me.lost != CLAIM && me.lost != CLAIM_SUSPECT)
#else
#define SEARCHED (me.lost != CLAIM && me.lost != CLAIM_SUSPECT && !IN_FLIGHT)
#endif

inline free_row() { row = FREE; by = 0 }
inline commit() { effects++; row = DONE; by = 0; suspect = false; locked = false }
inline take(p) { row = HELD; token++; by = p }
inline drop_task() { me.task = NONE; me.task_token = 0; me.task_id = 0; me.abandoned = false }
inline drop_lost() { me.lost = NONE; me.lost_token = 0; me.lost_id = 0 }
inline drop_lost_run() { me.lost_run = NONE; me.run_token = 0; me.run_id = 0 }
inline lose(what, k, p) { me.lost = what; me.lost_token = k; me.lost_id = p }
inline lose_run(what) { me.lost_run = what; me.run_token = me.task_token; me.run_id = me.task_id }

inline release(k, p) {
  if
  :: MINE(k, p) -> free_row(); token++
  :: else
  fi
}
inline release_strays(k, p) {
  if
  :: STRAY(k, p) ->
     free_row();
#ifndef STRAYS_KEEP_TOKEN
     token++
#endif
  :: else
  fi
}
inline verdict(what, k, p) {
  if
  :: MINE(k, p) && what == RETRY -> free_row(); suspect = false
  :: MINE(k, p) && what == BURY -> row = LETTER; by = 0; suspect = false
  :: else
  fi
}

/* engine/runner, engine/settler, store/run. */
proctype Runner(byte s) {
end:
  do
  :: d_step { me.task == QUEUED && !me.abandoned -> me.task = RUN }
  :: d_step { me.task == QUEUED && me.abandoned -> me.task = OWED }
  /* finish_job waits for the row's lock. */
  :: d_step {
       me.task == RUN && !locked ->
       if
       :: FINISH(me.task_token, me.task_id) ->
          stolen = stolen || !MINE(me.task_token, me.task_id);
          locked = true;
          me.task = LOCK
       :: else ->
#ifdef FINISH_UNCHECKED
          effects++;
#endif
          me.task = BACK
       fi
     }
  :: d_step { me.task == LOCK -> commit(); me.task = BACK }
  /* Finish and COMMIT travel together. */
  :: d_step { (me.task == RUN || me.task == LOCK) && faults && me.lost_run == NONE ->
       faults--; lose_run(me.task); me.task = DOUBT }
  :: atomic { me.task == RUN && faults -> faults--; if :: me.task = RETRY :: me.task = BURY fi }
  :: d_step { (me.task == RUN || me.task == DOUBT || me.task == RETRY || me.task == BURY) && me.abandoned -> me.task = OWED }
#ifdef LOST_IS_FAILED
  /* As where the row stays and a state says that it is done: put back by id. */
  :: d_step { me.task == DOUBT && !locked -> free_row(); me.task = BACK }
#else
  :: d_step {
       me.task == DOUBT && !me.abandoned ->
       if
       :: MINE(me.task_token, me.task_id) -> me.task = RUN
       :: else ->
          me.task = BACK;
#ifdef TOLD
          lied = lied || effects == 0
#endif
       fi
     }
#endif
  :: d_step { (me.task == RETRY || me.task == BURY) && !me.abandoned && !locked ->
       verdict(me.task, me.task_token, me.task_id); me.task = BACK }
  :: d_step { (me.task == RETRY || me.task == BURY) && !me.abandoned && faults && me.lost_run == NONE ->
       faults--; lose_run(me.task) }
  od
}

/* engine/dispatcher: one thread. turn() and drain(). */
proctype Dispatcher(byte s) {
end:
  do
  :: d_step { me.task == BACK -> drop_task() }
  :: d_step { me.task == OWED && !locked -> release(me.task_token, me.task_id); drop_task() }
  :: d_step { me.task == OWED && faults && me.lost == NONE -> faults--; lose(RELEASE, me.task_token, me.task_id) }
  :: d_step {
       me.fenced && !me.stopping && me.turn == 0 ->
       me.fenced = false;
       if
       :: me.task == QUEUED -> me.task = OWED
       :: IN_FLIGHT && me.task != QUEUED && me.task != BACK -> me.abandoned = true
       :: else
       fi
     }
  /* A turn begins with the id; its statements use that one. */
  :: d_step { me.turn == 0 && me.id && !me.fenced && !me.stopping && (row == FREE || me.unsure) -> me.turn = me.id }
  :: d_step { me.turn && row != FREE && !me.unsure -> me.turn = 0 }
#ifndef NO_STRAYS
  :: d_step { me.turn && me.unsure && STRAY(KNOWN, me.turn) -> release_strays(KNOWN, me.turn); me.turn = 0 }
  :: d_step { me.turn && me.unsure && STRAY(KNOWN, me.turn) && faults && me.lost == NONE ->
       faults--; lose(STRAYS, KNOWN, me.turn); me.turn = 0 }
  :: d_step { me.turn && me.unsure && SEARCHED -> release_strays(KNOWN, me.turn); me.unsure = false; me.turn = 0 }
#endif
  /* The claim. A suspect waits until nothing else is in flight. */
  :: d_step { me.turn && row == FREE && !locked && me.task == NONE ->
       take(me.turn); me.task = QUEUED; me.task_token = token; me.task_id = me.turn; me.turn = 0 }
  :: d_step {
       me.turn && faults && row == FREE && me.lost == NONE && (!suspect || !IN_FLIGHT) ->
       faults--;
       lose((suspect -> CLAIM_SUSPECT : CLAIM), 0, me.turn);
       me.unsure = true;
       me.turn = 0
     }
  /* A graceful stop. The grace time may end at any moment; what still runs then is owed, and the server may still finish it. */
  :: d_step { faults && me.id && !me.stopping && me.turn == 0 && !ENDED ->
       faults--;
       me.stopping = true;
       if
       :: me.task == QUEUED -> me.task = OWED
       :: else
       fi
     }
  :: d_step { me.stopping && IN_FLIGHT && me.task != BACK && !me.abandoned -> me.abandoned = true }
  :: d_step { me.stopping && me.abandoned && (me.task == RUN || me.task == LOCK) && me.lost_run == NONE ->
       lose_run(me.task); me.task = OWED }
  /* Its row is deleted, or, with claims that it could not give back, marked dead: either way the id is not live. A new process. */
  :: d_step { me.stopping && !IN_FLIGHT ->
       live[me.id] = false; me.id = 0; me.stopping = false; me.unsure = false; me.fenced = false; drop_task() }
  od
}

/* engine/membership, store/presence: registers, beats, and marks others. */
proctype Membership(byte s) {
end:
  do
  :: d_step { me.id == 0 && !ENDED -> last_id++; me.id = last_id; live[last_id] = true }
#ifndef SAME_ID
  :: d_step { me.id && !live[me.id] -> me.id = 0; me.fenced = true }
#endif
  :: d_step { me.was -> live[me.was] = false; me.was = 0 }
  /* Late, or without its session lock: marked dead though it lives. */
  :: d_step { faults && me.id && live[me.id] && !ENDED -> faults--; live[me.id] = false }
  /* Its own beats fail for too long. */
  :: d_step { faults && me.id && IN_FLIGHT && !me.fenced && !ENDED -> faults--; me.fenced = true }
  /* kill -9, and a new process. */
  :: atomic {
       faults && me.id && me.was == 0 && !ENDED ->
       faults--;
       me.was = me.id;
       if
       :: (me.task == RUN || me.task == LOCK || me.task == RETRY || me.task == BURY) && me.lost_run == NONE -> lose_run(me.task)
       :: me.task == LOCK -> locked = false
       :: me.task != LOCK
       fi;
       if
       :: me.turn && me.lost == NONE && row == FREE -> lose((suspect -> CLAIM_SUSPECT : CLAIM), 0, me.turn)
       :: skip
       fi;
       drop_task();
       me.id = 0; me.turn = 0; me.fenced = false; me.unsure = false; me.stopping = false
     }
  od
}

/* Backends whose client has gone: they finish what was sent, or undo it. */
proctype Server(byte s) {
end:
  do
  :: d_step { me.lost != NONE -> drop_lost() }
  :: d_step { me.lost == CLAIM && row == FREE && !suspect && !locked -> take(me.lost_id); drop_lost() }
  :: d_step { me.lost == CLAIM_SUSPECT && row == FREE && suspect && !locked -> take(me.lost_id); drop_lost() }
  :: d_step { me.lost == RELEASE && !locked -> release(me.lost_token, me.lost_id); drop_lost() }
  :: d_step { me.lost == STRAYS && !locked -> release_strays(me.lost_token, me.lost_id); drop_lost() }
  :: d_step { me.lost_run != NONE ->
       if
       :: me.lost_run == LOCK -> locked = false
       :: else
       fi;
       drop_lost_run()
     }
  :: d_step {
       me.lost_run == RUN && !locked ->
       if
       :: FINISH(me.run_token, me.run_id) ->
          stolen = stolen || !MINE(me.run_token, me.run_id);
          locked = true;
          me.lost_run = LOCK
       :: else ->
#ifdef FINISH_UNCHECKED
          effects++;
#endif
          drop_lost_run()
       fi
     }
  :: d_step { me.lost_run == LOCK -> commit(); drop_lost_run() }
  :: d_step { (me.lost_run == RETRY || me.lost_run == BURY) && !locked ->
       verdict(me.lost_run, me.run_token, me.run_id); drop_lost_run() }
  od
}

/* engine/maintenance, store/presence: whoever does it, it is one statement. */
inline rescue() {
  if
  :: crashes + 1 >= MAX_CRASHES -> row = LETTER; by = 0; suspect = false
  :: else -> free_row(); token++; suspect = true
  fi;
  crashes++
}
proctype Rescue() {
  bool burying;
end:
  do
#ifdef RESCUE_TWO_STEPS
  :: d_step { row == HELD && !live[by] -> burying = crashes + 1 >= MAX_CRASHES };
     d_step {
       !locked ->
       if
       :: row == HELD || burying -> stolen = stolen || (row == HELD && live[by]); rescue()
       :: else
       fi
     }
#else
  :: d_step { row == HELD && !live[by] && !locked -> rescue() }
#endif
  od
}

init {
  atomic {
    byte s;
    for (s : 0 .. 1) {
      me.task = NONE; me.lost = NONE; me.lost_run = NONE;
      run Runner(s); run Dispatcher(s); run Membership(s); run Server(s)
    }
    run Rescue()
  }
}

ltl once { [] (effects <= 1) }
ltl finished { [] (row == DONE -> effects == 1) }
ltl owner { [] !stolen }
ltl letter { [] (row == LETTER -> effects == 0) }
ltl crashed { [] (crashes <= MAX_CRASHES) }
ltl charged { [] (crashes <= FAULTS - faults) }
ltl ends { <> ENDED }
#ifdef TOLD
ltl told { [] !lied }
#endif
