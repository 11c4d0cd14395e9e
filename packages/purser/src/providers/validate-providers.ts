import { isObject, throwInvalid } from '../core/validate.ts'
import { suggestion } from '../errors.ts'
import { PROVIDER_KINDS, PROVIDER_SPECS } from '../options/provider-config.ts'
import type { ProviderOption } from '../options.ts'
import { validateGroup } from '../options-schema.ts'

/**
 * Throws `option_invalid` or `option_unknown` for the first invalid provider: when Purser is opened, not in the turn of a
 * user.
 */
export function validateProviders(providers: Readonly<Record<string, ProviderOption>>): void {
  for (const [name, provider] of Object.entries(providers)) {
    if (typeof provider === 'function') continue
    if (!isObject(provider)) throwOptionInvalid(`providers.${name}`, 'an object with a kind, or a function')
    const { kind, ...fields } = provider
    if (!PROVIDER_KINDS.includes(kind)) {
      const validKinds = PROVIDER_KINDS.map((one) => `'${one}'`).join(', ')
      throwOptionInvalid(`providers.${name}.kind`, `one of ${validKinds}`, suggestion(String(kind), PROVIDER_KINDS))
    }
    validateGroup(PROVIDER_SPECS[kind], fields, `providers.${name}.`)
  }
}

function throwOptionInvalid(path: string, expected: string, hint?: string): never {
  throwInvalid(`The option '${path}' must be ${expected}.`, { code: 'option_invalid', hint: hint || undefined })
}
