// Makes docs/api.md of the library's docstrings, by TypeDoc: `node tools/api-docs.ts`, or with --check to say whether it is up to date.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeclarationReflection } from "typedoc";

const root = join(import.meta.dirname, "..");
const FILE = "api.md";

const HEAD = `# API reference

Made of the docstrings by \`node tools/api-docs.ts\`; each example is run as a test. [library.md](library.md) is where to begin.
In the examples, \`Machine\` and \`AtollError\` come from \`atoll\`, and \`assert\` from \`node:assert/strict\`.
`;

/** A public class, or a member of one. */
export interface ApiMember {
  readonly name: string;
  readonly example: string | undefined;
}

export interface ApiReference {
  readonly members: readonly ApiMember[];
  /** docs/api.md as it should be. */
  readonly document: string;
}

/** What the docstrings say of the names that `import … from "atoll"` gives. */
export async function apiReference(): Promise<ApiReference> {
  // TypeDoc works on the compiler API of TypeScript 6, which TypeScript 7 does not have.
  const hooks = registerHooks({
    resolve: (name, context, next) => next(name === "typescript" ? "typescript-6" : name, context),
  });
  const { Application, ReflectionKind } = await import("typedoc");
  const out = mkdtempSync(join(tmpdir(), "atoll-api-"));
  try {
    const app = await Application.bootstrapWithPlugins({
      entryPoints: [join(root, "src/hosts/node/index.ts")],
      tsconfig: join(root, "tsconfig.api.json"),
      // tsc checks types, with the TypeScript that is used everywhere else.
      skipErrorChecking: true,
      plugin: ["typedoc-plugin-markdown"],
      ...{ excludeInternal: true, excludePrivate: true, excludeProtected: true, excludeExternals: true },
      outputs: [{ name: "markdown", path: out }],
      ...{
        readme: "none",
        disableSources: true,
        sort: ["static-first", "source-order"],
        logLevel: "Warn",
        treatWarningsAsErrors: true,
      },
      validation: { invalidLink: true, notExported: false, notDocumented: false },
      ...{ outputFileStrategy: "modules", entryFileName: FILE, hideBreadcrumbs: true, hidePageHeader: true },
      ...{ useCodeBlocks: true, hidePageTitle: true, hideGroupHeadings: true, parametersFormat: "table" },
      ...{ interfacePropertiesFormat: "table", typeDeclarationFormat: "table" },
    });
    const project = await app.convert();
    if (project === undefined || app.logger.hasWarnings()) throw new Error("TypeDoc cannot read the docstrings");
    const declared = Object.values(project.reflections) as DeclarationReflection[];
    const classes = declared.filter((each) => each.kind === ReflectionKind.Class);
    // Of what classes and types nobody can name the public ones are made is no reader's business.
    for (const each of declared) {
      delete each.inheritedFrom;
      if (each.name !== "AtollError") delete each.typeHierarchy;
    }
    const members = classes.flatMap((each) => [
      member(each, each.name),
      ...(each.children ?? [])
        .filter((child) => child.kind !== ReflectionKind.Constructor && child.overwrites === undefined)
        .map((child) => member(child, `${each.name}.${child.name}`)),
    ]);
    await app.generateOutputs(project);
    const text = readFileSync(join(out, FILE), "utf8");
    return { members, document: `${HEAD}\n${text.replaceAll("***\n\n", "").trim()}\n` };
  } finally {
    hooks.deregister();
    rmSync(out, { recursive: true });
  }
}

function member(reflection: DeclarationReflection, name: string): ApiMember {
  const comment = reflection.comment ?? reflection.getSignature?.comment ?? reflection.signatures?.[0]?.comment;
  const content = comment?.getTag("@example")?.content;
  const text = content?.map(({ text }) => text).join("");
  return { name, example: text && /^```\w*\n([\s\S]*)\n```/.exec(text)?.[1] };
}

if (import.meta.main) {
  const path = join(root, "docs", FILE);
  const { document } = await apiReference();
  if (!process.argv.includes("--check")) writeFileSync(path, document);
  else if (readFileSync(path, "utf8") !== document) {
    console.error("docs/api.md is not what the docstrings say: run node tools/api-docs.ts");
    process.exit(1);
  }
}
