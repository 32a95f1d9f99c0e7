# docs/openapi.yaml is valid, and says what the source, docs/api.md and a
# server say: calls, fields, limits, codes, headers and examples.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

# In the document, and not yet in the source or docs/api.md: a call, a field or
# an error of a call, or a code.  What is there must not stand here.

my @COMING = ();        # 'msg/recall', 'conv/list limit', 'code is_owner'

# Codes that any call may give: docs/api.md names them once for all.

my %ANY = map { $_ => 1 } qw(bad_json bad_request forbidden method_not_allowed
    body_too_large too_many_requests internal store_error store_unavailable
    store_timeout);

my $root = $Test::IM::ROOT;

eval { Test::IM::OpenAPI::load(); require YAML::PP; 1 }
    or $ENV{IM_OPENAPI} ? die $@
    : plan skip_all => 'needs libjson-validator-perl, libcpanel-json-xs-perl,'
                       . ' libyaml-libyaml-perl and libyaml-pp-perl';

$Test::IM::OpenAPI::ON = 1;

my $doc = Test::IM::OpenAPI::document();
my $api = slurp("$root/docs/api.md");
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

my %coming = map { $_ => 1 } @COMING;
my %missed;                             # of @COMING, what is not there

sub coming { $coming{$_[0]} }


# --- the document itself

is(official_errors(), '', 'valid by the schema of OpenAPI 3.1');

my @paths = sort keys %{ $doc->{paths} };
my (%id, %op);

for my $path (@paths) {
    my $post = $doc->{paths}{$path}{post};
    (my $short = $path) =~ s{^/im/}{};
    $op{$short} = $post;

    is_deeply([ grep { $_ ne 'parameters' } keys %{ $doc->{paths}{$path} } ],
              [ 'post' ], "$path: POST only");
    ok(!$id{ $post->{operationId} }++, "$path: operationId is unique");

    my @missing = grep { !$post->{responses}{$_} }
                  qw(200 400 403 405 413 429 500 502 503 504);
    is_deeply(\@missing, [], "$path: what any call may answer");
}

# an alias is the same in all that counts

my %alias = ('create/group' => 'creat/group',
             'add/group/member' => 'add/group/merber');

for my $path (sort keys %alias) {
    is($json->encode([ @{ $op{$path} }{qw(requestBody responses)} ]),
       $json->encode([ @{ $op{ $alias{$path} } }{qw(requestBody responses)} ]),
       "$path is $alias{$path}");
}


# --- the route table

my @routes = map { s/\*/{conv_id}/r } grep { length } map { /"([^"]*)"/g }
             slurp("$root/src/api/ngx_http_im_route.c") =~ /^ +row\(.*/mg;
cmp_ok(@routes, '>=', 13, 'the route table is read');
agree('calls: the route table', \@routes, [ keys %op ], '');
agree('calls: docs/api.md', [ $api =~ m{^(?:### |also: `)/im/([^\s`]+)}mg ],
      [ keys %op ], '');


# --- codes

my %source = slurp("$root/src/ngx_http_im_error.c")
             =~ /ngx_string\("(\w+)"\), (\d{3}),/g;
delete $source{ok};
cmp_ok(keys %source, '>=', 21, 'the table of codes is read');

my %table = $api =~ /^\| `(\w+)` +\| (\d{3}) \|/mg;
my (%codes, %status);

for my $path (keys %op) {
    for my $status (keys %{ $op{$path}{responses} }) {
        my $said = deref($op{$path}{responses}{$status});
        for my $code (codes_of($said)) {
            $codes{$path}{$code} = 1;
            $status{$code} = $status;
        }
    }
}
$status{$_} = 404
    for codes_of($doc->{components}{responses}{NotFound});

agree('codes: the source', [ map { "$_ $source{$_}" } keys %source ],
      [ map { "$_ $status{$_}" } keys %status ], 'code ');
agree('codes: docs/api.md', [ map { "$_ $table{$_}" } keys %table ],
      [ map { "$_ $status{$_}" } keys %status ], 'code ');

for my $path (sort keys %op) {
    next if $alias{$path} || coming($path);
    my ($said) = part($path) =~ /^Errors: (.*?)\.\n/ms;
    ok(defined $said, "$path: docs/api.md has its errors") or next;
    my @named = grep { $source{$_} || coming("code $_") }
                $said =~ /`(\w+)`/g;
    my @unknown = grep { !$codes{$path}{$_} } @named;

    is_deeply(\@unknown, [], "$path: no other errors in docs/api.md");
    agree("$path: errors, docs/api.md", [ grep { !$ANY{$_} } @named ],
          [ grep { !$ANY{$_} } keys %{ $codes{$path} } ], "$path ");
}


# --- fields, those required, lengths

for my $path (sort keys %op) {
    next if $alias{$path} || coming($path);
    my $fields = fields($path);
    my ($rows) = part($path) =~ /^\| field .*\n\|[-|]+\n((?:\|.*\n)+)/m;
    my (%row, @required);

    for (split /\n/, $rows // '') {
        my ($name, $type, $required, $meaning)
            = /^\| `(\w+)` *\| (.*?) *\| (.*?) *\| (.*?) *\|$/ or next;
        $row{$name} = $meaning;
        push @required, $name if $required eq 'yes';
    }

    agree("$path: fields, docs/api.md", [ keys %row ], [ keys %$fields ],
          "$path ");
    is_deeply([ sort @required ],
              [ sort grep { $fields->{$_}{required} } keys %$fields ],
              "$path: required fields");

    for my $name (grep { $fields->{$_} } sort keys %row) {
        my ($min, $max) = $row{$name} =~ /\b(\d+) to (\d+) bytes/ ? ($1, $2)
            : $row{$name} =~ /\bat most (\d+) bytes/ ? (0, $1) : next;
        my $s = $fields->{$name}{schema};
        is(($s->{minLength} || 0) . " $s->{maxLength}", "$min $max",
           "$path: length of $name");
    }
}

# limits that a directive changes

my $directives = slurp("$root/docs/directives.md");

for (limits($doc, '')) {
    my ($where, $s) = @$_;
    my ($k) = $directives =~ /^    default: $s->{'x-im-directive'} (\w+);$/m;
    my $limit = $s->{maximum} // $s->{maxLength} // $s->{maxItems};
    is($limit, ($k // '') =~ /^(\d+)k$/ ? $1 * 1024 : $k,
       "$where: default of $s->{'x-im-directive'}");
}


# --- responses: members, those of im_reply full, headers

my %documented = (
    'conv/list' => [qw(ConversationPair ConversationPairFull
                       ConversationGroupFull)],
    'conv/{conv_id}' => [qw(Message MessageFull)],
);

for my $path (sort keys %documented) {
    my ($v1, @full) = @{ $documented{$path} };
    my @v1 = keys %{ properties($v1) };
    my %v1 = map { $_ => 1 } @v1;
    my %more = map { $_ => 1 } grep { !$v1{$_} }
               map { keys %{ properties($_) } } @full;
    my ($rows) = part($path) =~ /^\| member .*\n\|[-|]+\n((?:\|.*\n)+)/m;
    my ($adds) = part($path) =~ /`im_reply full` adds\s+(.*?)\n\n/s;

    agree("$path: members, docs/api.md", [ ($rows // '') =~ /^\| `(\w+)`/mg ],
          \@v1, "$path ");
    agree("$path: of im_reply full, docs/api.md",
          [ ($adds // '') =~ /`"?(\w+)["`]/g ], [ keys %more ], "$path ");
}

my %full = ('send/msg' => 'MessageSentFull', 'creat/group' => 'GroupCreatedFull');

for my $path (sort keys %full) {
    my ($body) = part($path) =~ /full` the response is\s+`(\{.*?\})`/s;
    is_deeply([ sort keys %{ $json->decode($body // '{}') } ],
              [ sort keys %{ properties($full{$path}) } ],
              "$path: im_reply full, docs/api.md");
}

for my $name (qw(Conversation_Pair Conversation_Group Message_)) {
    my ($v1, $more) = split /_/, $name;
    my %full = %{ properties("$v1${more}Full") };
    my $same = { map { $_ => $full{$_} } keys %{ properties("$v1$more") } };
    is_deeply($same, properties("$v1$more"), "$v1${more}Full adds members");
}

my (%in_doc, %in_api);

for my $path (grep { !$alias{$_} } keys %op) {
    my $ok = deref($op{$path}{responses}{200});
    push @{ $in_doc{$_} }, $path for sort keys %{ $ok->{headers} || {} };
}
for ($api =~ /^\| (`X-IM-.*)$/mg) {
    my ($name, $calls) = split / *\| */;
    $in_api{ $name =~ tr/`//dr } = [ $calls =~ m{`/im/([^`]+)`}g ];
}
is_deeply({ map { $_ => [ sort @{ $in_doc{$_} } ] } keys %in_doc },
          { map { $_ => [ sort @{ $in_api{$_} } ] } keys %in_api },
          'headers of 200, docs/api.md');


# --- the examples of docs/api.md are responses of the document

my $shown = 0;

while ($api =~ m{^\$\ curl\ -s(i?)\ http://[^/\s]+/im/(\S+)\ -d\ '([^']*)'\n
                 (.*?)^```}msgx)
{
    my ($head, $path, $body, $text) = ($1, $2, $3, $4);
    $text = "HTTP/1.1 200 OK\n\n$text" if !$head;
    my ($first, $rest) = split /\n\n/, $text, 2;
    $rest =~ s/\n\s*//g;
    my $r = Test::IM::Conn::parse_text(
        ($first =~ s/\n/\r\n/gr) . "\r\nContent-Type: application/json"
        . "\r\n\r\n$rest");
    is_deeply([ Test::IM::OpenAPI::errors(
                    { method => 'POST', path => $path, body => $body }, $r) ],
              [], "docs/api.md: $path");
    $shown++;
}
cmp_ok($shown, '>=', 11, 'examples of docs/api.md');


# --- the examples of the document are what a server answers

# In this order; a code is what happens in between.

my @STORY = (qw(userSet userGet userOnline groupCreate messageSend),
    sub { $_[0]->say(qw(CKD_P_1 CKD_D_2 hello)) },
    qw(convList unread pairPage convPage convRead groupAdd groupList
       groupAlias groupSet convReaders convTyping convHide messageRecall groupRemove
       groupTransfer groupLeave groupDismiss import));

my %story = map { $_ => 1 } @STORY;
my ($ordered) = YAML::PP->new(preserve => YAML::PP::Common::PRESERVE_ORDER())
                ->load_file("$root/docs/openapi.yaml");

is_deeply([ grep { !$story{ $op{$_}{operationId} } && !$alias{$_} }
            sort keys %op ], [], 'every call has its place in the story');

for my $form (qw(v1 full)) {
    my $t = Test::IM->new(
        conf_im => 'im_import on;' . ($form eq 'full' ? 'im_reply full;' : ''))->start;
    my (%real, %path);

    $path{ $op{$_}{operationId} } = $_ for keys %op;

    for my $step (@STORY) {
        if (ref $step) { $step->($t); next }

        my $path = $path{$step};
        next if !grep { $_ eq $path } @routes;

        my $post = $ordered->{paths}{"/im/$path"}{post};
        my $ask = deref($post->{requestBody}, $ordered);
        my $ok = deref($post->{responses}{200}, $ordered);
        my $examples = $ok->{content}{'application/json'}{examples};
        my $example = ordered($ask->{content}{'application/json'}{example});

        $example =~ s/"(\d+-[0-9a-f]{16})"/'"' . ($real{$1} \/\/ $1) . '"'/ge;
        $path =~ s/\{conv_id\}/ward-7/;

        my $r = $t->post("/im/$path", $example);
        my $want = ordered(($examples->{$form} || $examples->{v1})->{value});
        my $got = $r->body;

        # ids and times are those of this server, each always the same

        if ($r->msg_id) {
            my $sent = $examples->{full}{value};
            @real{ @$sent{qw(msg_id msg_time)} } = ($r->msg_id, $r->msg_time);
        }

        my $id = qr/"\d+-[0-9a-f]{16}"|(?<=:)1\d{12}(?=[,}])/;
        my @there = map { tr/"//dr } $got =~ /$id/g;
        my @here = map { tr/"//dr } $want =~ /$id/g;
        my %taken = map { $_ => 1 } grep { /-/ } values %real;
        for (@there == @here ? 0 .. $#here : ()) {
            $real{ $here[$_] } //= $there[$_] if !$taken{ $there[$_] };
        }
        $want =~ s/($id)/my $v = $1; my $m = $real{ $v =~ tr{"}{}dr } \/\/ $v;
                         $v =~ m{"} ? "\"$m\"" : $m/ge;

        is($r->status . " $got", "200 $want", "$form: example of $step");
    }
    $t->done;
}


# --- limits: what the document allows is no bad request, what it does not is

{
    my $t = Test::IM->new(conf_im => 'im_import on;')->start;
    my $tried = 0;

    $t->group('CKD_D_2', [ 'CKD_P_1', 'CKD_P_3' ], conv_id => 'ward-7');

    for my $path (sort keys %op) {
        next if !grep { $_ eq $path } @routes;

        my $fields = fields($path);
        my $ask = deref($op{$path}{requestBody});
        my $example = $ask->{content}{'application/json'}{example};
        (my $url = "/im/$path") =~ s/\{conv_id\}/ward-7/;

        my $say = sub {
            my ($name, $good, $value, $what) = @_;
            return if coming("$path $name");
            my $body = $json->decode($json->encode($example));
            my $into = $fields->{$name}{in} ? $body->{ $fields->{$name}{in} }[0]
                                            : $body;
            defined $value ? $into->{$name} = $value : delete $into->{$name};
            my $r = $t->post($url, $body);
            my $refused = $r->status == 400 || $r->status == 413;
            $tried++;
            fail("$path: $name $what: " . ($good ? 'good' : 'refused'))
                && diag($r->body) if !$refused != !!$good;
        };

        for my $name (sort keys %$fields) {
            my $s = $fields->{$name}{schema};
            my $type = $s->{type} // '';

            $say->($name, 0, undef, 'absent') if $fields->{$name}{required};
            $say->($name, 0, { }, 'an object');

            if ($type eq 'string') {
                my ($min, $max) = ($s->{minLength} || 0, $s->{maxLength});
                $say->($name, 0, 1, 'a number');
                next if !$max;
                $say->($name, 1, 'a' x ($min || 1), 'shortest');
                $say->($name, !$min, '', 'empty')
                    if "$path $name" ne 'send/msg conv_id';
                $say->($name, 1, 'a' x $max, 'longest');
                $say->($name, 0, 'a' x ($max + 1), 'too long');
                next if !$s->{pattern};
                $say->($name, scalar(/$s->{pattern}/), $_, $_)
                    for '.', '..', '...', 'list', 'a' x 24, "a\xe9",
                        map { 'x' . chr } 32 .. 127;

            } elsif ($type eq 'integer') {
                my ($min, $max) = @$s{qw(minimum maximum)};
                $say->($name, 0, '1', 'a string');
                $say->($name, 1, $min, 'least');
                $say->($name, 0, $min - 1, 'too small');
                next if !defined $max;
                $say->($name, 1, $max, 'most');
                $say->($name, 0, $max + 1, 'too large');

            } elsif ($type eq 'array') {
                $say->($name, 0, 'a', 'a string');
                my $n = $s->{maxItems} or next;
                my @all = map { $name eq 'ids' ? "u$_"
                                : { %{ $example->{$name}[0] }, id => "u$_" } }
                          0 .. $n;
                $say->($name, 0, [ @all ], 'too many');
                pop @all;
                $say->($name, 1, [ @all ], 'as many as may be');
            }
        }
    }
    cmp_ok($tried, '>=', 2000, "$tried values at and beyond their limits");
    $t->done;
}


# --- a breach is found, wherever it is

{
    my $page = '[{"msg_id":"m","msg_type":0,"msg":"","conv_id":"c",'
             . '"from_id":"a","from_time":1,'
             . '"user":{"id":"a","type":"","img":"","name":""}}]';
    my @send = ('X-IM-Conv-Id: c', 'X-IM-Msg-Id: m', 'X-IM-Msg-Time: 1');
    my $send = '{"from_id":"a","to_id":"b","msg":"x","msg_type":0}';

    for ([ 'nothing', 0, 'conv/c', '{}', 200, $page ],
         [ 'a full page', 0, 'conv/c', '{}', 200, $page =~ s/\}\]/},"seq":1}]/r
           =~ s/\}\},/},/r ],
         [ 'a member too much', 1, 'conv/c', '{}', 200,
           $page =~ s/"msg":/"more":1,"msg":/r ],
         [ 'a member too few', 1, 'conv/c', '{}', 200,
           $page =~ s/"msg":"",//r ],
         [ 'of another type', 1, 'conv/c', '{}', 200,
           $page =~ s/"from_time":1/"from_time":"1"/r ],
         [ 'the last row', 1, 'conv/c', '{}', 200,
           $page =~ s/\]/",{}]"/r =~ s/"(,\{\}\])"/$1/r ],
         [ 'not JSON', 1, 'conv/c', '{}', 200, '[x]' ],
         [ 'a status', 1, 'conv/c', '{}', 418, '{}' ],
         [ 'a code of another status', 1, 'conv/c', '{}', 404,
           '{"code":"not_member","error":"x"}' ],
         [ 'a code of another call', 1, 'unread', '{"from_id":"a"}', 403,
           '{"code":"not_member","error":"x"}' ],
         [ 'no sentence', 1, 'unread', '{}', 400, '{"code":"bad_request"}' ],
         [ 'no such call', 0, 'nothing', '{}', 404,
           '{"code":"not_found","error":"x"}' ],
         [ 'a call that is none', 1, 'nothing', '{}', 200, '{}' ],
         [ 'headers', 0, 'send/msg', $send, 200, '{}', @send ],
         [ 'no header', 1, 'send/msg', $send, 200, '{}', @send[0, 1] ],
         [ 'a header of another form', 1, 'send/msg', $send, 200, '{}',
           @send[0, 1], 'X-IM-Msg-Time: now' ],
         [ 'a header too much', 1, 'unread', '{"from_id":"a"}', 200,
           '{"total":0}', $send[0] ],
         [ 'no Retry-After', 1, 'unread', '{"from_id":"a"}', 503,
           '{"code":"store_unavailable","error":"x"}' ],
         [ 'a request that must be refused', 1, 'unread', '{}', 200,
           '{"total":0}' ],
         [ 'HTML', 1, 'unread', '{"from_id":"a"}', 200, '<html>',
           'Content-Type: text/html' ])
    {
        my ($what, $bad, $path, $body, $status, $answer, @headers) = @$_;
        unshift @headers, 'Content-Type: application/json'
            if !grep { /^Content-Type/ } @headers;
        my $r = Test::IM::Conn::parse_text(join "\r\n",
            "HTTP/1.1 $status X", @headers, '', $answer);
        my @errors = Test::IM::OpenAPI::errors(
            { method => 'POST', path => $path, body => $body }, $r);
        ok(!!@errors == $bad, "a breach, or not: $what") or diag(@errors);
    }
}

# and fails the test that got it

{
    my $t = Test::IM->new(redis => 0)->start;
    my @failed;
    no warnings 'redefine';
    local *Test::IM::fail = sub { push @failed, @_ };
    local *Test::IM::diag = sub { push @failed, @_ };
    {
        local *Test::IM::OpenAPI::errors = sub { 'a breach' };
        $t->post('/im/unread', { from_id => 'a' });
        $t->get('/site');
        $t->h2('/im/unread', { from_id => 'a' });
        $t->connect->send(bytes('/im/a', {}) . bytes('/im/b', {}))
          ->read_response;
        my $pid = fork // die "fork: $!";
        if (!$pid) { $t->post('/im/c', {}); POSIX::_exit(0) }
        waitpid $pid, 0;
    }
    is(@failed, 6, 'post, h2 and raw bytes; not of other locations');
    like($failed[1], qr{^POST /im/unread \{"from_id":"a"\}\n503 .*\n- a breach$}m,
         'with request, response and reason');
    like($failed[5], qr{^POST /im/a \{\}\n}, 'of the request it belongs to');
    $t->done;
    is(@failed, 8, 'what a child got fails done()');
    like($failed[7], qr{^POST /im/c \{\}\n}, 'of its request');
}


is_deeply([ grep { !$missed{$_} } sort keys %coming ], [],
          'what is there no longer stands in @COMING');

done_testing;


# two lists are equal but for what is coming, which the second has alone; $kind
# goes before a name in @COMING, of which only the first word counts

sub agree {
    my ($what, $there, $here, $kind) = @_;
    my %there = map { $_ => 1 } @$there;
    my %here = map { $_ => 1 } @$here;
    my @missing;

    for my $name (sort keys %here) {
        my $coming = $kind . ($name =~ s/ .*//r);
        next if $there{$name};
        $missed{$coming} = 1;
        push @missing, $name if !$coming{$coming};
    }

    is_deeply({ 'only in the document' => \@missing,
                'not in the document' => [ grep { !$here{$_} } sort keys %there ] },
              { 'only in the document' => [], 'not in the document' => [] }, $what);
}


sub deref {
    my ($v, $in) = @_;
    return Test::IM::OpenAPI::deref($v, $in || $doc);
}


sub codes_of {
    my $said = shift;
    my $s = $said->{content}{'application/json'}{schema};
    return map { @{ $_->{properties}{code}{enum} || [] } }
           @{ $s->{allOf} || [] };
}


sub properties { return $doc->{components}{schemas}{$_[0]}{properties} }


# name => { schema, required, in }: the fields of a call, and those of objects
# in an array

sub fields {
    my $path = shift;
    my $ask = deref($op{$path}{requestBody});
    my %fields;

    my $add = sub {
        my ($of, $in) = @_;
        my %required = map { $_ => 1 } @{ $of->{required} || [] };
        for my $name (keys %{ $of->{properties} || {} }) {
            $fields{$name} = { schema => deref($of->{properties}{$name}),
                               required => $required{$name}, in => $in };
        }
    };

    my $of = deref($ask->{content}{'application/json'}{schema});
    $add->($of);
    for my $name (keys %fields) {
        my $items = $fields{$name}{schema}{items} or next;
        $add->(deref($items), $name);
    }
    return \%fields;
}


# every place with x-im-directive

sub limits {
    my ($v, $where) = @_;
    return ref $v eq 'HASH'
           ? (($v->{'x-im-directive'} ? [ $where, $v ] : ()),
              map { limits($v->{$_}, "$where/$_") } sort keys %$v)
         : ref $v eq 'ARRAY' ? map { limits($_, "$where/-") } @$v : ();
}


# what stands in docs/api.md under the heading of a call

sub part {
    my ($part) = $api =~ m{^### /im/\Q$_[0]\E\n(.*?)(?=^#+ |\z)}ms;
    return $part // '';
}


# JSON with the members as they stand in the file

sub ordered {
    my $v = shift;
    return ref $v eq 'HASH' || ref $v && "$v" =~ /HASH/
           ? '{' . join(',', map { $json->encode($_) . ':' . ordered($v->{$_}) }
                        keys %$v) . '}'
         : ref $v eq 'ARRAY' || ref $v && "$v" =~ /ARRAY/
           ? '[' . join(',', map { ordered($_) } @$v) . ']'
         : $json->encode($v);
}


# the schema of OpenAPI 3.1 needs what only the validator for Python knows

sub official_errors {
    my $dir = File::Temp::tempdir('im-test-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    open my $fh, '>:raw', "$dir/doc.json" or die $!;
    print {$fh} $json->encode($doc);
    close $fh;
    open $fh, '>:raw', "$dir/check.py" or die $!;
    print {$fh} <<'PYTHON';
import json, sys
from jsonschema import Draft202012Validator as V

spec, doc = (json.load(open(name)) for name in sys.argv[1:])

for e in V(spec).iter_errors(doc):
    print('/'.join(map(str, e.absolute_path)), e.message[:300])


def schemas(v):
    if isinstance(v, dict):
        if isinstance(v.get('schema'), dict):
            yield v['schema']
        for w in v.values():
            yield from schemas(w)
    elif isinstance(v, list):
        for w in v:
            yield from schemas(w)


for s in [*schemas(doc), *doc['components']['schemas'].values()]:
    for e in V(V.META_SCHEMA).iter_errors(s):
        print(json.dumps(s)[:100], '/'.join(map(str, e.path)), e.message[:300])
PYTHON
    close $fh;

    for my $python (qw(/usr/bin/python3 python3)) {
        system("$python -c 'import jsonschema' 2>/dev/null") == 0 or next;
        return scalar `$python $dir/check.py $root/t/lib/Test/IM/openapi-3.1.json $dir/doc.json 2>&1`;
    }
    return 'python3-jsonschema is not installed';
}
