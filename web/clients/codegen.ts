import type { CodegenConfig } from "@graphql-codegen/cli";

// Scalars of the contract travel as JSON strings.
const client = (role: string): CodegenConfig["generates"] => ({
  [`src/${role}/`]: {
    schema: `schema/${role}.graphql`,
    documents: `documents/${role}/*.graphql`,
    preset: "client",
    presetConfig: { fragmentMasking: false },
    config: {
      defaultScalarType: "string",
      documentMode: "string",
      enumsAsTypes: true,
      useTypeImports: true,
    },
  },
});

export default { emitLegacyCommonJSImports: false, generates: { ...client("plant"), ...client("hub") } } satisfies CodegenConfig;
