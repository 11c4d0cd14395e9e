import { withSignal } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import { validateFields, validateOptions } from '../core/validate.ts'
import type { Mode } from '../options/context-section.ts'
import type { ConsentOptions, InternalUserContext, ResolvedContext } from './api.ts'
import type { Invalidation } from './invalidation.ts'
import { parseMode, validateSectionName } from './resolve-options.ts'
import type { Resolver } from './resolver.ts'
import type { SectionRuntime } from './section-runtime.ts'
import type { SessionCache } from './session-cache.ts'
import type { UserCache, UserEntry } from './user-cache.ts'

export interface UserContextDeps {
  readonly cache: UserCache
  readonly sessions: SessionCache
  readonly resolver: Resolver
  readonly invalidation: Invalidation
  readonly defaultMode: Mode
  setEnabled(enabled: boolean, options: ConsentOptions | undefined): Promise<void>
  /** The configured sections. */
  readonly sections: readonly SectionRuntime[]
}

/** Session ids are not empty. */
const NO_SESSION = ''

export function createUserContext(user: Subject, deps: UserContextDeps): InternalUserContext {
  const { cache, sessions, resolver, invalidation, sections, defaultMode } = deps
  /** Saves the look-up while it is cached. */
  let entry: UserEntry | undefined

  function peek(mode: Mode): ResolvedContext | undefined {
    if (!entry?.isCached) entry = cache.peek(user.id)
    return entry && resolver.peek(user, mode, entry)
  }

  return {
    resolve: (options) => resolver.resolve(user, options),
    needsQuery: sections.some((section) => section.needsQuery),
    async explain(options) {
      return resolver.explain(user, options)
    },
    async setEnabled(enabled, options) {
      await deps.setEnabled(enabled, options)
    },
    getWarm: (options) => resolver.getWarm(user, options),
    comparePrefix: (session = NO_SESSION, prefixHash) => sessions.comparePrefix(user.id, session, prefixHash),
    peek(options) {
      if (options === undefined) return peek(defaultMode)
      validateFields(options, ['mode'], { name: 'options' })
      return peek(parseMode(options.mode, defaultMode))
    },
    async invalidate(options = {}) {
      validateOptions('invalidate', options, ['section'])
      const { section, signal } = options
      if (section !== undefined) validateSectionName(section, sections, 'section')
      await withSignal(invalidation.invalidate(user, section), signal)
    },
  }
}
