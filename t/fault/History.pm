package History;

# Who was told what, and is it true?  Writers send messages of unique texts and
# log every answer, readers log what they saw and mark as read; when all is
# quiet the checker reads every timeline and list through the API and judges.
#
#     my $h = History->new(t => $t, writers => 4, readers => 2);
#     $h->setup;              # groups and conversations, before any fault
#     $h->start;              # processes
#     ...                     # faults
#     $h->stop;
#     my $report = $h->check; # see judge()
#
# new() takes: t (a Test::IM that runs, or whatever has post() and port()),
# writers, readers, groups, cid (share of messages with a client_msg_id),
# fresh (every how many messages a conversation is made by its first one; 0
# never), pace (seconds between messages of a writer), retry (seconds for which
# a writer repeats a message with client_msg_id), faith (share of 503s that are
# believed: nothing was done, so the message is given up), base (path before the calls,
# should be one with `im_reply full`).
#
# A conversation is called by its id if it is a group, else by "USER|USER".

use strict;
use warnings;

use Carp qw(croak);
use File::Path qw(remove_tree);
use File::Temp ();
use POSIX ();
use Time::HiRes qw(sleep time);

use Test::IM::Conn;

my @DEFECTS = qw(lost doubled phantom out_of_order gap wrong_unread missing
                 wrong_list mismatch stale vanished);

sub defects { @DEFECTS }


sub new {
    my ($class, %opt) = @_;
    my $self = bless { writers => 4, readers => 1, groups => 2, cid => 0.5, fresh => 25,
                       pace => 0, retry => 8, faith => 0.3, base => '/im', %opt, owner => $$ }, $class;
    $self->{dir} = File::Temp::tempdir('im-history-XXXXXXXX', TMPDIR => 1);
    return $self;
}


# writers w1.. talk in the ring of neighbours and in the groups, all of which
# have all writers and one silent member

sub setup {
    my $self = shift;
    my $n = $self->{writers};
    my @users = map { "w$_" } 1 .. $n;
    my $tag = substr $self->{dir} =~ s/.*-//r, 0, 8;

    open my $log, '>', "$self->{dir}/log.0" or croak $!;
    for my $g (1 .. $self->{groups}) {
        my $id = "g$g-$tag";
        $self->ask('creat/group', qq({"owner_id":"w1","name":"g","conv_id":"$id","member":[)
            . join(',', map { qq("$_") } @users, 'silent') . ']}');
        $self->{members}{$id} = [ @users, 'silent' ];
        push @{ $self->{convs} }, $id;
        $self->{id}{$id} = $id;
    }
    for my $i (0 .. $n - 1) {
        my ($a, $b) = ("w" . ($i + 1), $n > 1 ? "w" . (($i + 1) % $n + 1) : 'silent');
        my $c = pair($a, $b);
        next if $self->{members}{$c};
        my $r = $self->ask('send/msg', message($a, $c, "setup-$c"));
        $self->{members}{$c} = [ split /\|/, $c ];
        $self->{id}{$c} = $r->conv_id;
        push @{ $self->{convs} }, $c;
        print $log join("\t", 'send', $a, $c, "setup-$c", '', 200, $r->msg_id, 0, 0), "\n";
    }
    close $log;
    return $self;
}


# a worker that has not connected again yet, after the store was away, is waited
# for: that one of them serves does not tell of the others

sub ask {
    my ($self, $call, $body) = @_;
    my $r;
    $self->{t}->poll(10, sub {
        $r = $self->{t}->post("$self->{base}/$call", $body) or return;
        return $r->status != 503;
    });
    croak "$call: no answer" if !$r;
    croak "$call: " . $r->status . ' ' . $r->body if $r->status != 200;
    return $r;
}


sub pair { join '|', sort @_ }

sub message {
    my ($from, $conv, $text, $cid) = @_;
    my ($to) = grep { $_ ne $from } split /\|/, $conv;
    my $where = $conv =~ /\|/ ? qq("to_id":"$to") : qq("conv_id":"$conv");
    return qq({"from_id":"$from",$where,"msg":"$text","msg_type":0)
        . (length($cid // '') ? qq(,"client_msg_id":"$cid"}) : '}');
}


# --- the processes

sub start {
    my $self = shift;
    my $k = 1;
    for my $role ((map { [ writer => $_ ] } 1 .. $self->{writers}),
                  (map { [ reader => $_ ] } 1 .. $self->{readers}))
    {
        my $file = "$self->{dir}/log." . $k++;
        my $pid = fork // croak "fork: $!";
        if ($pid) { push @{ $self->{pids} }, $pid; next }

        my ($name, $n) = @$role;
        srand $n * 7919 + $$;
        eval {
            open my $log, '>', $file or die "$file: $!";
            $log->autoflush(1);
            $self->$name($n, $log);
            1;
        } or print STDERR "$name $n: $@";
        POSIX::_exit($@ ? 1 : 0);
    }
    return $self;
}


sub stopped { -e "$_[0]{dir}/stop" }

sub stop {
    my $self = shift;
    open my $fh, '>', "$self->{dir}/stop" or croak $!;
    close $fh;
    my $bad = 0;
    for my $pid (@{ $self->{pids} }) {
        waitpid $pid, 0;
        $bad++ if $?;
    }
    $self->{pids} = [];
    croak "$bad processes of the history failed" if $bad;
    return $self;
}


# acknowledged so far
sub acked {
    my $self = shift;
    my $n = 0;
    for my $file (glob "$self->{dir}/log.*") {
        open my $fh, '<', $file or next;
        while (<$fh>) { $n++ if /^send\t(?:[^\t]*\t){4}200\t/ }
    }
    return $n;
}


# one request over a kept connection: (status, response); 0 where there was no
# answer, -1 where there was no connection to ask on

sub request {
    my ($self, $call, $body) = @_;
    my $conn = $self->{conn};
    undef $conn if $conn && $conn->stale;
    if (!$conn) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{t}->port)
            or return -1;
        $conn = Test::IM::Conn->new($s, 15 * ($ENV{IM_SCALE} || 1));
    }
    $self->{conn} = $conn;
    my $r = eval {
        $conn->send("POST $self->{base}/$call HTTP/1.1\r\nHost: x\r\nContent-Length: "
                    . length($body) . "\r\n\r\n$body");
        $conn->read_response;
    };
    delete $self->{conn} if !$r || $r->closed;
    return $r ? ($r->status, $r) : 0;
}


sub writer {
    my ($self, $n, $log) = @_;
    my $me = "w$n";
    my @mine = grep { grep { $_ eq $me } @{ $self->{members}{$_} } } @{ $self->{convs} };
    my ($i, $fresh) = (0, 0);

    until ($self->stopped) {
        my $conv = $mine[rand @mine];
        $i++;
        $conv = pair($me, 'f' . ++$fresh . "-$me")
            if $self->{fresh} && $i % $self->{fresh} == 0 && $fresh < 200;
        my $text = "$me-$i-" . 'x' x (10 + rand 200);
        my $cid = rand() < $self->{cid} ? "$me-$i" : '';
        my $body = message($me, $conv, $text, $cid);
        my $until = time + $self->{retry};

        while (1) {
            my $t0 = time;
            my ($status, $r) = $self->request('send/msg', $body);
            print {$log} join("\t", 'send', $me, $conv, $text, $cid, $status,
                $status == 200 ? $r->msg_id : $r ? $r->code : '', $t0, time), "\n";
            last if $status == 200 || $status >= 400 && $status < 500;
            sleep 0.02;
            last if !length $cid || time > $until;
            last if $status == 503 && rand() < $self->{faith};
        }
        sleep $self->{pace} if $self->{pace};
    }
}


sub reader {
    my ($self, $n, $log) = @_;
    my @convs = @{ $self->{convs} };

    until ($self->stopped) {
        my $conv = $convs[rand @convs];
        my $id = $self->{id}{$conv};
        my @who = grep { $_ ne 'silent' } @{ $self->{members}{$conv} };
        my $user = rand() < 0.3 ? $who[rand @who] : '';
        my $t0 = time;
        my ($status, $r) = $self->request("conv/$id",
            length $user ? qq({"page_size":20,"from_id":"$user"}) : '{"page_size":20}');
        my @ids = $status == 200 ? $r->body =~ /"msg_id":"([^"]+)"/g : ();

        print {$log} join("\t", 'read', $conv, "@ids", $t0, time), "\n" if $status == 200;
        print {$log} join("\t", 'mark', $user, $conv, $status, $ids[0] // ''), "\n"
            if length $user;

        if (@ids && rand() < 0.2) {
            my ($u, $m) = ($who[rand @who], $ids[rand @ids]);
            my ($s) = $self->request("conv/$id/read",
                                     qq({"from_id":"$u","msg_id":"$m"}));
            print {$log} join("\t", 'mark', $u, $conv, $s, $m), "\n";
        }
        if (rand() < 0.2) {
            $self->request('conv/list', qq({"from_id":"$who[rand @who]"}));
        }
        sleep 0.02 if $status != 200;
        sleep 0.002;
    }
}


# --- what there is when all is quiet

sub load {
    my $self = shift;
    my %d = (send => [], read => [], mark => [], members => { %{ $self->{members} } });

    for my $file (sort glob "$self->{dir}/log.*") {
        open my $fh, '<', $file or croak "$file: $!";
        while (<$fh>) {
            chomp;
            my ($type, @f) = split /\t/, $_, -1;
            my %e;
            if ($type eq 'send') {
                @e{qw(from conv text cid status id t0 t1)} = @f;
                $d{members}{$e{conv}} ||= [ split /\|/, $e{conv} ];
            } elsif ($type eq 'read') {
                @e{qw(conv ids t0 t1)} = @f;
                $e{ids} = [ split ' ', $e{ids} ];
            } else {
                @e{qw(user conv status id)} = @f;
            }
            push @{ $d{$type} }, \%e;
        }
    }
    return \%d;
}


sub check {
    my $self = shift;
    my $d = $self->load;
    my $max = $self->{list_max} || 500;

    # lists first: asking for the timeline of a pair would mark it as read
    my (%user, %id);
    $user{$_} = 1 for map { @$_ } values %{ $d->{members} };
    %id = %{ $self->{id} };

    for my $u (sort keys %user) {
        my $body = $self->ask('conv/list', qq({"from_id":"$u"}))->body;
        for my $row (split /(?=\{"conv_id":")/, $body) {
            next if $row !~ /^\{"conv_id":"([^"]+)","conv_type":(\d),"conv_users":\[([^\]]*)\]/;
            my ($id, $type, $who) = ($1, $2, $3);
            my %r = (conv => $type ? $id : pair($who =~ /"([^"]+)"/g));
            $id{$r{conv}} = $id;
            ($r{last}, $r{time}, $r{unread}) = $row
                =~ /"last_msg":"([^"]*)".*"last_time":(\d+),"unread_count":(\d+)/;
            push @{ $d->{list}{$u} }, \%r;
        }
        $d->{list}{$u} ||= [];
        if (@{ $d->{list}{$u} } < $max) {
            ($d->{total}{$u}) = $self->ask('unread', qq({"from_id":"$u"}))->body =~ /(\d+)/;
        }
    }

    for my $c (sort keys %{ $d->{members} }) {
        my ($a, $b) = @{ $d->{members}{$c} };
        my ($call, $as) = $id{$c} ? ("conv/$id{$c}", '')
                                  : ('from/to', qq("from_id":"$a","to_id":"$b",));
        my @rows;
        for (my $page = 1; ; $page++) {
            my $body = $self->ask($call, "{$as\"page_no\":$page,\"page_size\":200}")->body;
            my $n = 0;
            for my $row (split /(?=\{"msg_id":")/, $body) {
                my %r;
                @r{qw(id text from time)} = $row =~ /^\{"msg_id":"([^"]+)".*"msg":"([^"]*)"
                                 .*"from_id":"([^"]+)","from_time":(\d+)/x or next;
                ($r{seq}) = $row =~ /"seq":(\d+)/;
                croak "$call: no seq, $self->{base} is not im_reply full"
                    if !defined $r{seq};
                push @rows, \%r;
                $n++;
            }
            last if $n < 200;
        }
        $d->{timeline}{$c} = [ reverse @rows ];
    }

    $self->{data} = $d;
    return judge($d);
}


# Pure: takes what was logged and read, counts what cannot be.
#
#   send      [ { from, conv, text, cid, status, id, t0, t1 } ], a writer's in order
#   read      [ { conv, ids (newest first), t0, t1 } ]
#   mark      [ { user, conv, status, id } ], id '' where it is not known
#   members   { conv => [ user ] }
#   timeline  { conv => [ { id, text, from, time, seq } ] }, oldest first
#   list      { user => [ { conv, last, time, unread } ] }, as listed
#   total     { user => unread }

sub judge {
    my $d = shift;
    my %n = map { $_ => 0 } @DEFECTS, qw(acked refused unknown reads);
    my @notes;
    my $bad = sub {
        my ($what, $text) = @_;
        $n{$what}++;
        $text =~ s/-x{4,}/-x/g;
        push @notes, "$what: $text" if $n{$what} <= 5;
    };

    # the verdict on every text: the best that any attempt was told
    my (%text, @order);
    for my $s (@{ $d->{send} }) {
        my $m = $text{"$s->{conv} $s->{text}"} //= do {
            push @order, my $new = { %$s, verdict => 'refused' };
            $new;
        };
        if ($s->{status} == 200) {
            if ($m->{verdict} eq 'acked' && $m->{id} ne $s->{id}) {
                $bad->(mismatch => "$s->{text} acknowledged as $m->{id} and as $s->{id}");
            }
            @$m{qw(verdict id t1)} = ('acked', $s->{id}, $s->{t1});
        } elsif (!($s->{status} == 503 || $s->{status} == -1
                   || $s->{status} >= 400 && $s->{status} < 500))
        {
            $m->{verdict} = 'unknown' if $m->{verdict} eq 'refused';
        }
    }
    $n{$_->{verdict}}++ for @order;

    # timelines
    my (%at, %pos);
    for my $c (sort keys %{ $d->{timeline} }) {
        my ($i, $time) = (0, 0);
        for my $row (@{ $d->{timeline}{$c} }) {
            $i++;
            my $name = "$row->{text} in $c";
            my $m = $text{"$c $row->{text}"};
            if (!$m) {
                $bad->(phantom => "$name was never sent");
            } elsif ($m->{from} ne $row->{from}) {
                $bad->(mismatch => "$name is of $m->{from}, shown as of $row->{from}");
            } elsif ($m->{pos}) {
                $bad->(doubled => "$name is there twice");
            } elsif ($m->{verdict} eq 'refused') {
                $bad->(phantom => "$name was refused with $m->{status} $m->{id}");
            } elsif ($m->{verdict} eq 'acked' && $m->{id} ne $row->{id}) {
                $bad->(mismatch => "$name was acknowledged as $m->{id}, is $row->{id}");
            }
            $m->{pos} ||= $i if $m;
            $at{$c}{$row->{id}} = $i;
            $bad->(gap => "$name has sequence $row->{seq}, is number $i")
                if defined $row->{seq} && $row->{seq} != $i;
            $bad->(out_of_order => "$name is older than the one before it")
                if $row->{time} < $time;
            $time = $row->{time};
        }
    }

    my %last;
    for my $m (@order) {
        next if $m->{verdict} ne 'acked';
        if (!$m->{pos}) {
            $bad->(lost => "$m->{text} in $m->{conv}, acknowledged as $m->{id}");
            next;
        }
        my $l = \$last{"$m->{from} $m->{conv}"};
        if ($$l && $$l->{pos} > $m->{pos}) {
            $bad->(out_of_order => "$m->{text} in $m->{conv} is before $$l->{text}");
        }
        $$l = $m;
    }

    # what was seen: a piece of the timeline, with all that was acknowledged before
    my %acks;
    for my $m (@order) {
        push @{ $acks{$m->{conv}} }, [ $m->{t1}, $m->{pos} ]
            if $m->{verdict} eq 'acked' && $m->{pos};
    }
    for my $c (keys %acks) {
        my $max = 0;
        $acks{$c} = [ map { $max = $_->[1] if $_->[1] > $max; [ $_->[0], $max ] }
                      sort { $a->[0] <=> $b->[0] } @{ $acks{$c} } ];
    }
    for my $r (@{ $d->{read} }) {
        $n{reads}++;
        my @pos = map { $at{$r->{conv}}{$_} || 0 } @{ $r->{ids} };
        if (my @gone = grep { !$pos[$_] } 0 .. $#pos) {
            $bad->(vanished => "$r->{ids}[$gone[0]] was seen in $r->{conv}");
            next;
        }
        for my $i (1 .. $#pos) {
            next if $pos[$i] == $pos[$i - 1] - 1;
            $bad->(out_of_order => "a page of $r->{conv} had $r->{ids}[$i - 1], $r->{ids}[$i]");
            last;
        }
        my ($lo, $hi) = (0, scalar @{ $acks{$r->{conv}} || [] });
        while ($lo < $hi) {
            my $mid = int(($lo + $hi) / 2);
            $acks{$r->{conv}}[$mid][0] < $r->{t0} ? ($lo = $mid + 1) : ($hi = $mid);
        }
        my $need = $lo ? $acks{$r->{conv}}[$lo - 1][1] : 0;
        $bad->(stale => "a page of $r->{conv} ended at " . ($pos[0] // 0) . ", not $need")
            if ($pos[0] // 0) < $need;
    }

    # positions: at least that far, maybe as far as any of these
    my (%read, %maybe, %fuzzy);
    for my $m (@{ $d->{mark} }) {
        my $key = "$m->{user} $m->{conv}";
        my $pos = length $m->{id} ? $at{$m->{conv}}{$m->{id}} : undef;
        next if $m->{status} == 503 || $m->{status} == -1
            || $m->{status} >= 400 && $m->{status} < 500;
        if ($m->{status} == 200 && !length $m->{id}) {
            # an empty page marks nothing
        } elsif (!$pos) {
            $fuzzy{$key} = 1;
        } elsif ($m->{status} == 200) {
            $read{$key} = $pos if $pos > ($read{$key} || 0);
        } else {
            $maybe{$key}{$pos} = 1;
        }
    }
    for my $c (keys %{ $d->{timeline} }) {
        my $i = 0;
        for my $row (@{ $d->{timeline}{$c} }) {
            $i++;
            my $key = "$row->{from} $c";
            $read{$key} = $i if $i > ($read{$key} || 0);
        }
    }

    my %acked_in;
    $acked_in{$_->{conv}}++ for grep { $_->{verdict} eq 'acked' } @order;

    for my $u (sort keys %{ $d->{list} }) {
        my (%seen, $sum, $time);
        for my $row (@{ $d->{list}{$u} }) {
            my $c = $row->{conv};
            my $line = $d->{timeline}{$c} || [];
            my $key = "$u $c";
            $sum += $row->{unread};
            $bad->(wrong_list => "$u has $c twice") if $seen{$c}++;
            $bad->(wrong_list => "$u is not in $c")
                if !grep { $_ eq $u } @{ $d->{members}{$c} || [] };
            $bad->(wrong_list => "$u has $c after one that is older")
                if defined $time && $row->{time} > $time;
            $time = $row->{time};

            if (@$line && ($row->{last} ne $line->[-1]{text}
                           || $row->{time} != $line->[-1]{time}))
            {
                $bad->(wrong_list => "$u has $row->{last} as the last of $c, "
                       . "not $line->[-1]{text}");
            }

            my $left = @$line - ($read{$key} || 0);
            my %ok = ($left => 1);
            for my $p (keys %{ $maybe{$key} || {} }) {
                $ok{@$line - $p} = 1 if @$line - $p < $left;
            }
            $bad->(wrong_unread => "$u has $row->{unread} unread in $c, not "
                   . join(' or ', sort keys %ok))
                if $fuzzy{$key} ? $row->{unread} > $left : !$ok{$row->{unread}};
        }
        $bad->(wrong_unread => "$u has $d->{total}{$u} unread in all, not " . ($sum || 0))
            if defined $d->{total}{$u} && $d->{total}{$u} != ($sum || 0);

        for my $c (sort keys %{ $d->{members} }) {
            next if $seen{$c} || !grep { $_ eq $u } @{ $d->{members}{$c} };
            $bad->(missing => "$u does not find $c")
                if $c !~ /\|/ || $acked_in{$c};
        }
    }

    return { %n, notes => \@notes, defects => scalar grep { $n{$_} } @DEFECTS };
}


# "2 lost, 1 doubled", or ''
sub summary { my $r = shift; join ', ', map { $r->{$_} ? "$r->{$_} $_" : () } @DEFECTS }


sub DESTROY {
    my $self = shift;
    return if $self->{owner} != $$;
    local ($?, $!, $@);
    kill KILL => $_ for @{ $self->{pids} || [] };
    waitpid $_, 0 for @{ $self->{pids} || [] };
    remove_tree($self->{dir}) if !$ENV{IM_KEEP};
}


1;
