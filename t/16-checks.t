# The checks can fail: blocks that are misspelt are fatal, each section fails
# when the answer is another one, and so do the gates when a count is missing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP ();
use Test::More;
use Test::IM ();

my $good = <<'BLOCK';
=== a block
--- call
/im/x
--- json
{}
BLOCK

my ($block) = eval { Test::IM::Blocks::parse($good) };
is_deeply($block, { name => 'a block', call => '/im/x', json => '{}' },
          'a block') or diag($@);

for my $test (
    [ 'no block',              '' ],
    [ 'another mark',          $good =~ s/^===/==/r ],
    [ 'text before it',        "x\n$good" ],
    [ 'no name',               $good =~ s/=== .*/=== /r ],
    [ 'text before sections',  $good =~ s/^---/x\n---/mr ],
    [ 'no call',               $good =~ s/--- call\n.*\n//r ],
    [ 'a call that is none',   $good =~ s{/im/x}{im/x}r ],
    [ 'an unknown section',    "$good--- respons\nx\n" ],
    [ 'a capital',             "$good--- Answer\nx\n" ],
    [ 'a plural',              "$good--- headers\nX: y\n" ],
    [ 'no space',              "$good---answer\nx\n" ],
    [ 'a colon',               "$good--- answer:\nx\n" ],
    [ 'two dashes more',       "$good----- answer\nx\n" ],
    [ 'twice',                 "$good--- answer\nx\n--- answer\ny\n" ],
    [ 'an empty answer',       "$good--- answer\n" ],
    [ 'nothing like',          "$good--- like\n" ],
    [ 'like, a blank line',    "$good--- like\na\n\nb\n" ],
    [ 'nothing in the header', "$good--- header\n" ],
    [ 'a header of no value',  "$good--- header\nX-IM-Conv-Id\n" ],
    [ 'keep what',             "$good--- keep\nid\n" ],
    [ 'an unknown code',       "$good--- code\nbad_requests\n" ],
    [ 'error_like, no code',   "$good--- error_like\nx\n" ],
    [ 'a status in words',     "$good--- status\nfine\n" ],
    [ 'unchanged, with a text', "$good--- unchanged\nx\n" ],
    [ 'two values',            "$good--- status 200\n404\n" ],
    [ 'before, no JSON',       "$good--- before\n/im/send/msg\n" ],
) {
    my ($name, $text) = @$test;
    is(eval { Test::IM::Blocks::parse($text); 1 }, undef, $name);
}


# --- one answer, and blocks about it: those named "fails" do, others do not

{
    package Site;       # a site that answers the same to all

    sub new      { bless { %{ $_[1] } }, $_[0] }
    sub redis    { $_[0]{store}++ if $_[1] eq 'SET' }
    sub snapshot { { n => $_[0]{grows} ? $_[0]{n}++ : 0 } }

    sub post {
        my ($self) = @_;
        return Test::IM::Conn::parse_text(join "\r\n",
            "HTTP/1.1 $self->{status} x", @{ $self->{headers} }, '',
            $self->{body});
    }
}

my $ok = { status => 200, body => '{"a":1}',
           headers => [ 'Content-Type: application/json', 'X-A: 1' ] };
my $refused = { status => 400, headers => $ok->{headers},
                body => '{"code":"bad_request","error":"a is wrong"}' };

sections($ok, <<'GOOD', <<'BAD');
--- answer
{"a":1}
===
--- like
"a"
^\{
===
--- header
X-A: 1
X-B: -
X-A: /\d/
===
--- unchanged
===
--- keep
a X-A
===
--- before
/im/x {}
===
GOOD
--- answer
{"a":2}
===
--- like
"a"
"b"
===
--- status
201
===
--- header
X-A: 2
===
--- header
X-A: -
===
--- header
X-B: 1
===
--- header
X-A: /\D/
===
--- keep
a X-B
===
--- code
bad_request
===
BAD

sections({ %$ok, grows => 1 }, '', "--- unchanged\n===\n");
sections({ %$ok, headers => [ 'Content-Type: text/html' ] }, '',
         "--- answer\n{\"a\":1}\n===\n");
sections($refused, <<'GOOD', <<'BAD');
--- code
bad_request
===
--- code
bad_request
--- error_like
wrong
===
GOOD
--- code
bad_json
===
--- code
bad_request
--- error_like
right
===
--- answer
{"code":"bad_request","error":"a is wrong"}
===
--- before
/im/x {}
--- code
bad_request
===
BAD
sections({ %$refused, grows => 1 }, '', "--- code\nbad_request\n===\n");
sections({ %$refused, status => 409 }, '', "--- code\nbad_request\n===\n");
sections({ %$refused, body => '{"error":"a is wrong"}' }, '',
         "--- code\nbad_request\n===\n");
sections({ %$refused, body => '{"code":"bad_request","error":"a","b":1}' }, '',
         "--- code\nbad_request\n===\n");

# --- gates: counts that have grown, were not taken, or are of something else

my $json = JSON::PP->new;
my $dir = File::Temp::tempdir('im-gates-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $held = Test::IM::slurp("$FindBin::Bin/bench/gates.json");

is(gates(sub { }), 0, 'gates: as held');
is(gates(sub { $_[0]{page}{instructions} /= 2 }), 0, 'gates: fewer');
is(gates(sub { $_[0]{page}{$_} *= 1.5 }), 1, "gates: more $_")
    for qw(instructions commands syscalls);
for my $what (qw(instructions commands syscalls)) {
    my $cb = sub { delete $_[0]{page}{$what} };
    is(gates($cb), 1, "gates: no $what");
    is(gates($cb, $what), 0, "gates: no $what, which is allowed");
    is(gates(sub { delete $_->{$what} for values %{ $_[0] } }, $what), 0,
       "gates: none at all, which is allowed");
}
is(gates(sub { delete $_[0]{page} }), 1, 'gates: a call is missing');
is(gates(sub { %{ $_[0] } = () }), 1, 'gates: nothing is counted');
is(gates(sub { $_[0]{page}{instructions} = 0 }), 1,
   'gates: no instruction of the module');
is(gates(sub { }, 'sycalls'), 255, 'gates: an unknown kind is allowed');

done_testing;


# the exit status of t/bench/gates
sub gates {
    my ($change, $without) = @_;
    my $counts = $json->decode($held);
    $change->($counts->{calls});
    open my $fh, '>', "$dir/counts" or die "$dir: $!\n";
    print $fh $json->encode($counts);
    close $fh or die "$dir: $!\n";
    local $ENV{IM_GATES_WITHOUT} = $without // '';
    system("$FindBin::Bin/bench/gates --judge $dir/counts >/dev/null 2>&1");
    return $? >> 8;
}


sub sections {
    my ($answer, $good, $bad) = @_;
    my $site = Site->new($answer);

    for ([ 1, $good ], [ 0, $bad ]) {
        my ($holds, $text) = @$_;
        for my $sections (split /^===\n/m, $text) {
            my ($b) = Test::IM::Blocks::parse("=== x\n--- call\n/im/x\n"
                                              . "--- json\n{}\n$sections");
            my $name = $sections =~ tr/\n/ /r;
            is(passes(sub { Test::IM::Blocks::run_block($site, $b, {}) }),
               $holds, ($holds ? 'passes: ' : 'fails: ') . $name);
        }
    }
}


# does this pass?  In a process of its own, for what it prints and counts.
sub passes {
    my ($cb) = @_;
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        my $tb = Test::More->builder;
        $tb->reset;
        $tb->$_(\*STDOUT) for qw(output failure_output todo_output);
        my $lived = eval { $cb->(); 1 };
        POSIX::_exit($lived && $tb->is_passing ? 0 : 1);
    }
    waitpid $pid, 0;
    return $? == 0 ? 1 : 0;
}
