# As much of nixpkgs' `lib` as the module and the package use, and the module system at its smallest:
# options with types, defaults and priorities, mkIf, mkMerge, imports, submodules. What is misspelt or of
# the wrong type is an error, as it is there.
let
  inherit (builtins)
    all
    attrNames
    attrValues
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    isAttrs
    isFunction
    isList
    isString
    map
    mapAttrs
    ;

  genAttrs = names: make: builtins.listToAttrs (map (name: { inherit name; value = make name; }) names);
  namesIn = sets: attrNames (foldl' (found: set: found // set) { } sets);
  tagged = tag: value: isAttrs value && (value._type or null) == tag;
  show = path: concatStringsSep "." path;

  # Definitions without their wrappers: `mkIf` and `mkMerge` are carried out, priorities noted.
  discharge =
    definition:
    if tagged "if" definition then
      (if definition.condition then discharge definition.content else [ ])
    else if tagged "merge" definition then
      concatMap discharge definition.contents
    else if tagged "override" definition then
      [ definition ]
    else
      [
        {
          priority = 100;
          content = definition;
        }
      ];

  # Sets of definitions by name, with the wrappers moved inwards: no condition is looked at.
  pushDown =
    definition:
    if tagged "if" definition then
      map (mapAttrs (_: lib.mkIf definition.condition)) (pushDown definition.content)
    else if tagged "merge" definition then
      concatMap pushDown definition.contents
    else if tagged "override" definition then
      map (mapAttrs (_: lib.mkOverride definition.priority)) (pushDown definition.content)
    else
      [ definition ];

  evalOption =
    path: option: definitions:
    let
      given = concatMap discharge definitions;
      found =
        given
        ++ (
          if option ? default then
            [
              {
                priority = 1500;
                content = option.default;
              }
            ]
          else
            [ ]
        );
      lowest = foldl' (least: each: if each.priority < least then each.priority else least) 9999 found;
      values = map (each: each.content) (filter (each: each.priority == lowest) found);
      wrong = filter (value: !option.type.check value) values;
    in
    if found == [ ] then
      throw "The option `${show path}' was accessed but has no value defined."
    else if (option.readOnly or false) && given != [ ] then
      throw "The option `${show path}' is read-only, but it is set."
    else if wrong != [ ] then
      throw "A definition for option `${show path}' is not of type `${option.type.description}'."
    else
      option.type.merge path values;

  evalOptions =
    path: options: definitions:
    let
      pushed = concatMap pushDown definitions;
      unknown = filter (name: !(options ? ${name})) (namesIn pushed);
    in
    if unknown != [ ] then
      throw "The option `${show (path ++ [ (builtins.head unknown) ])}' does not exist."
    else
      mapAttrs (
        name: option:
        (if tagged "option" option then evalOption else evalOptions) (path ++ [ name ]) option (
          lib.catAttrs name pushed
        )
      ) options;

  # All modules that a module leads to, called. One that is a file counts once.
  collect =
    arguments: module:
    let
      isFile = !(isAttrs module || isFunction module);
      called = if isFile then import module else module;
      given = if isFunction called then called arguments else called;
    in
    concatMap (collect arguments) (given.imports or [ ])
    ++ [
      {
        file = if isFile then toString module else null;
        module =
          if given ? options || given ? config || given ? imports then
            {
              options = { };
              config = removeAttrs given [
                "imports"
                "options"
              ];
            }
            // given
          else
            {
              options = { };
              config = given;
            };
      }
    ];
  onlyOnce = foldl' (
    found: each:
    if each.file != null && builtins.any (one: one.file == each.file) found then
      found
    else
      found ++ [ each ]
  ) [ ];

  mergeOptions = foldl' (
    found: options:
    found
    // mapAttrs (
      name: option:
      if !(found ? ${name}) then
        option
      else if tagged "option" option then
        throw "The option `${name}' is declared twice."
      else
        mergeOptions [
          found.${name}
          option
        ]
    ) options
  ) { };

  type = description: check: merge: { inherit description check merge; };
  # As nixpkgs puts a type into the description of a list or set of it.
  within =
    { description, ... }:
    if builtins.match "(one of|.*submodule).*" description == null then
      description
    else
      "(${description})";
  only =
    path: values:
    let
      first = builtins.head values;
    in
    if all (value: value == first) values then
      first
    else
      throw "The option `${show path}' has conflicting definition values.";
  isBelow = root: path: lib.hasPrefix "${root}/" "${path}/";
  isPathLike = value: builtins.isPath value || isString value || value ? outPath;

  types = rec {
    anything = type "anything" (_: true) (
      path: values:
      if all isAttrs values && !(builtins.head values ? outPath) then
        (attrsOf anything).merge path values
      else
        only path values
    );
    unspecified = type "unspecified value" (_: true) only;
    bool = type "boolean" builtins.isBool only;
    str = type "string" isString only;
    lines = type "strings concatenated with \"\\n\"" isString (_: concatStringsSep "\n");
    int = type "signed integer" builtins.isInt only;
    ints.u32 = type "32 bit unsigned integer; between 0 and 4294967295 (both inclusive)" (
      value: builtins.isInt value && value >= 0 && value < 4294967296
    ) only;
    package = type "package" (value: isAttrs value && value.type or null == "derivation") only;
    path = type "absolute path" (
      value: isPathLike value && builtins.substring 0 1 "${toString value}" == "/"
    ) only;
    externalPath = type "absolute path not in the Nix store" (
      value:
      path.check value
      && builtins.match "${builtins.storeDir}/[0-9a-z]{32}-.*" (toString value) == null
    ) only;
    enum =
      values:
      type "one of ${concatStringsSep ", " (map builtins.toJSON values)}" (value: elem value values) only;
    nullOr =
      inner:
      type "null or ${inner.description}" (value: value == null || inner.check value) (
        path: values: if all (value: value == null) values then null else inner.merge path values
      );
    listOf =
      inner:
      type "list of ${within inner}" (value: isList value && all inner.check value) (_: concatLists);
    attrsOf =
      inner:
      type "attribute set of ${within inner}" isAttrs (
        path: values:
        let
          pushed = concatMap pushDown values;
          some = filter (name: concatMap discharge (lib.catAttrs name pushed) != [ ]) (namesIn pushed);
        in
        genAttrs some (
          name: evalOption (path ++ [ name ]) { type = inner; } (lib.catAttrs name pushed)
        )
      );
    submodule =
      module:
      let
        given = name: if isFunction module then module { inherit name; } else module;
      in
      # A set that is free takes any name.
      if (given "") ? freeformType then
        (given "").freeformType
        // {
          description = "open submodule of ${(given "").freeformType.description}";
        }
      else
        type "submodule" isAttrs (path: evalOptions path (given (lib.last path)).options);
  };

  lib = rec {
    inherit types;
    inherit (builtins)
      attrNames
      attrValues
      concatMap
      concatStringsSep
      elem
      filter
      head
      catAttrs
      ;

    mkOption = option: { _type = "option"; } // option;
    mkEnableOption =
      what:
      mkOption {
        type = types.bool;
        default = false;
        description = "Whether to enable ${what}.";
      };
    mkIf = condition: content: { _type = "if"; inherit condition content; };
    mkMerge = contents: { _type = "merge"; inherit contents; };
    mkOverride = priority: content: { _type = "override"; inherit priority content; };
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    literalExpression = text: text;
    literalMD = text: text;

    assertMsg = isTrue: message: isTrue || throw message;
    importJSON = path: builtins.fromJSON (builtins.readFile path);
    boolToString = value: if value then "true" else "false";
    versionOlder = a: b: builtins.compareVersions a b < 0;
    hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      let
        start = builtins.stringLength text - builtins.stringLength suffix;
      in
      start >= 0 && builtins.substring start (-1) text == suffix;
    replaceStrings = builtins.replaceStrings;
    escapeShellArg =
      value:
      if builtins.match "[[:alnum:],._+:@%/-]+" (toString value) != null then
        toString value
      else
        "'${replaceStrings [ "'" ] [ "'\\''" ] (toString value)}'";
    escapeShellArgs = values: concatStringsSep " " (map escapeShellArg values);
    getExe = package: getExe' package package.meta.mainProgram;
    getExe' = package: name: "${package}/bin/${name}";

    last = list: builtins.elemAt list (builtins.length list - 1);
    splitString = separator: text: filter isString (builtins.split separator text);
    nameValuePair = name: value: { inherit name value; };
    mapAttrs' = make: set: builtins.listToAttrs (lib.mapAttrsToList make set);
    inherit genAttrs;

    toList = value: if isList value then value else [ value ];
    any = builtins.any;
    optional = isWanted: value: if isWanted then [ value ] else [ ];
    optionals = isWanted: values: if isWanted then values else [ ];
    optionalString = isWanted: text: if isWanted then text else "";
    optionalAttrs = isWanted: set: if isWanted then set else { };
    unique = foldl' (found: value: if elem value found then found else found ++ [ value ]) [ ];

    mapAttrs = builtins.mapAttrs;
    mapAttrsToList = make: set: map (name: make name set.${name}) (attrNames set);
    filterAttrs = keeps: set: genAttrs (filter (name: keeps name set.${name}) (attrNames set)) (name: set.${name});
    recursiveUpdate =
      old: new:
      old
      // mapAttrs (
        name: value: if isAttrs value && isAttrs (old.${name} or null) then recursiveUpdate old.${name} value else value
      ) new;

    generators.mkKeyValueDefault =
      { }:
      separator: key: value:
      "${key}${separator}${if builtins.isBool value then boolToString value else toString value}";

    # A set of files says of a path, and of what kind it is, whether it is in the set.
    fileset = {
      unions = parts: path: kind: any (part: fileset.has part path kind) parts;
      fileFilter =
        keeps: root: path: kind:
        isBelow (toString root) path
        && (
          kind == "directory"
          || keeps { hasExt = extension: lib.hasSuffix ".${extension}" path; }
        );
      has =
        part: path: kind:
        if isFunction part then part path kind else path == toString part;
      toSource =
        { root, fileset }:
        builtins.path {
          path = root;
          name = "source";
          filter = path: kind: fileset path kind;
        };
    };

    fetchers.proxyImpureEnvVars = [ "https_proxy" ];

    licenses.mit = "MIT";
    platforms.linux = [ "x86_64-linux" ];

    # The configuration that modules make together, and every option by its name.
    evalModules =
      { modules, specialArgs }:
      let
        collected = concatMap (collect (specialArgs // { inherit lib config options; })) modules;
        all = map (each: each.module) (onlyOnce collected);
        options = mergeOptions (map (module: module.options) all);
        config = evalOptions [ ] options (map (module: module.config) all);
      in
      {
        inherit config options;
      };
  };
in
lib
