// Parse and bind KQL with Microsoft's own language service.
//
//   node check.mjs MODULES < {"tables": {NAME: "column:type, …"}, "queries": [{"name", "text"}]}
//
// writes [{"name", "problems": [{"code", "message", "line"}], "columns": [NAME]}] to standard output.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const require = createRequire(join(process.argv[2], 'index.js'));
require('@kusto/language-service-next/bridge.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.js');
const { Language } = globalThis.Kusto;

function* each(list) {
  for (let index = 0; index < list.Count; index += 1) {
    yield list.getItem ? list.getItem(index) : list.Items[index];
  }
}

const { tables, queries } = JSON.parse(readFileSync(0, 'utf8'));
const symbols = Object.entries(tables).map(([name, columns]) =>
  Language.Symbols.TableSymbol.From(`(${columns})`).WithName(name),
);
const workspace = new Language.Symbols.DatabaseSymbol.ctor('workspace', symbols);
const globals = Language.GlobalState.Default.WithDatabase(workspace);

const answers = queries.map(({ name, text }) => {
  const code = Language.KustoCode.ParseAndAnalyze(text, globals);
  const problems = [...each(code.GetDiagnostics())]
    .filter(({ Severity }) => Severity === 'Error' || Severity === 'Warning')
    .map(({ Code, Message, Start }) => ({
      code: Code,
      message: Message,
      line: text.slice(0, Start).split('\n').length,
    }));
  const columns = code.ResultType?.Columns ? [...each(code.ResultType.Columns)] : [];
  return { name, problems, columns: columns.map((column) => column.Name) };
});
process.stdout.write(JSON.stringify(answers));
