import type { Command } from '../command.ts'
import { backup } from './backup.ts'
import { block } from './block.ts'
import { cap } from './cap.ts'
import { checkpoint } from './checkpoint.ts'
import { createCompletionCommand } from './completion.ts'
import { configPrint } from './config-print.ts'
import { context } from './context.ts'
import { copy } from './copy.ts'
import { correct } from './correct.ts'
import { demo } from './demo.ts'
import { doctor } from './doctor.ts'
import { erase } from './erase.ts'
import { events } from './events.ts'
import { evict } from './evict.ts'
import { exportUser } from './export.ts'
import { importFile } from './import.ts'
import { init } from './init.ts'
import { keysCreate } from './keys-create.ts'
import { keysList } from './keys-list.ts'
import { keysRevoke } from './keys-revoke.ts'
import { limit } from './limit.ts'
import { limits } from './limits.ts'
import { note } from './note.ts'
import { plan } from './plan.ts'
import { profile } from './profile.ts'
import { restore } from './restore.ts'
import { secretSet } from './secret-set.ts'
import { serve } from './serve.ts'
import { sessions } from './sessions.ts'
import { set } from './set.ts'
import { show } from './show.ts'
import { simulate } from './simulate.ts'
import { tail } from './tail.ts'
import { turns } from './turns.ts'
import { unblock } from './unblock.ts'
import { usage } from './usage.ts'
import { users } from './users.ts'
import { verify } from './verify.ts'

/** All subcommands, in the order of `purser --help`. */
export const COMMANDS: readonly Command[] = [
  serve,
  demo,
  users,
  show,
  set,
  secretSet,
  tail,
  events,
  note,
  profile,
  context,
  sessions,
  evict,
  correct,
  cap,
  limits,
  limit,
  plan,
  usage,
  turns,
  simulate,
  block,
  unblock,
  exportUser,
  importFile,
  erase,
  verify,
  checkpoint,
  backup,
  restore,
  copy,
  keysCreate,
  keysList,
  keysRevoke,
  init,
  doctor,
  configPrint,
  createCompletionCommand(() => COMMANDS),
]
