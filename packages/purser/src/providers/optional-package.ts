import { PurserError } from '../errors.ts'

/** Imports an optional package, or says which one to install. */
export async function optionalPackage<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new PurserError('package_missing', `The package '${name}' is not installed.`, {
      hint: `npm install ${name}`,
      cause,
      details: { package: name },
    })
  }
}
