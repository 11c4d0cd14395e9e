import { PurserError } from '../errors.ts'
import type { ProviderKind } from '../options/provider-config.ts'
import type { ModelRequest } from '../runtime/ports.ts'

/** Names of these kinds are a part of the URL, which is called with a key. */
type AddressedKind = Extract<ProviderKind, 'google' | 'azure' | 'amazon-bedrock'>

/**
 * The names that these kinds have. None of them can be a dot segment, contain another segment than the API has, or begin
 * a query or a fragment, whether a server or a proxy decodes it once, twice or never.
 */
const NAMES: Readonly<Record<AddressedKind, RegExp>> = {
  /** `gemini-2.5-flash`, `models/gemini-2.5-flash`, `tunedModels/my-model-1`. */
  google: /^(?:(?:models|tunedModels)\/)?[a-z0-9][a-z0-9._-]{0,127}$/i,
  /** A deployment: letters, digits, `.`, `_` and `-`. */
  azure: /^[a-z0-9][a-z0-9._-]{0,127}$/i,
  /** `anthropic.claude-v2:1`, or an ARN such as `arn:aws:bedrock:eu-west-1:1:inference-profile/eu.model-v1:0`. */
  'amazon-bedrock': /^(?:arn:[a-z0-9:-]{1,128}\/(?:[a-z0-9][a-z0-9._:-]{0,127}\/)?)?[a-z0-9][a-z0-9._:-]{0,127}$/i,
}

/** Returns the name of the model or deployment; `model_not_found` if it would shape the URL of the call. */
export function requireAddressedName({ provider }: ModelRequest, kind: AddressedKind, name: string): string {
  if (NAMES[kind].test(name)) return name
  throw new PurserError('model_not_found', `The provider '${provider}' cannot have a model of this name.`, {
    hint: 'It is a part of the address that is called: use the exact name that the provider lists.',
    details: { param: 'model' },
  })
}
