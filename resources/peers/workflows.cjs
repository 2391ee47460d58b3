// The workflow of worker.cjs, which the SDK for TypeScript bundles by itself.
const { proxyActivities } = require("@temporalio/workflow");

const { step } = proxyActivities({ startToCloseTimeout: "1 minute" });

exports.FiveSteps = async () => {
  for (let number = 0; number < 5; number++) await step();
};
