import { createRequire } from 'node:module'
import type AjvCompiler from '@fastify/ajv-compiler'
import type { FastifySchemaCompiler, FastifyServerOptions } from 'fastify'

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>
type SharedSchemas = Parameters<AjvCompiler.BuildCompilerFromPool>[0]
type CompileSchema = FastifySchemaCompiler<unknown>
type Validate = ReturnType<CompileSchema>

const AJV_OPTIONS = {
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  allErrors: true,
  allowUnionTypes: true,
} as const

/**
 * How Fastify makes functions of the schemas of routes. A schema is compiled by the first request that it validates, and
 * the first of all loads the compiler: doing that for all routes would be half of what a start allocates.
 */
export const SCHEMA_COMPILERS: Compilers = {
  // Fastify declares this type for a compiler of other schemas, too.
  buildValidator: buildLazyCompiler as unknown as NonNullable<Compilers['buildValidator']>,
  // A response schema documents the body and must not remove fields from it.
  buildSerializer: () => () => JSON.stringify,
}

function buildLazyCompiler(shared: SharedSchemas): CompileSchema {
  let compileNow: CompileSchema | undefined
  return (route) => {
    let compiled: Validate | undefined
    const validate: Validate = (data: unknown) => {
      compileNow ??= buildCompiler(shared)
      compiled ??= compileNow(route)
      const result = compiled(data)
      validate.errors = compiled.errors ?? null
      return result
    }
    return validate
  }
}

let loadedBuilder: AjvCompiler.BuildCompilerFromPool | undefined

function buildCompiler(shared: SharedSchemas): CompileSchema {
  loadedBuilder ??= (createRequire(import.meta.url)('@fastify/ajv-compiler') as typeof AjvCompiler)()
  return loadedBuilder(shared, { customOptions: AJV_OPTIONS }) as unknown as CompileSchema
}
